import { isLoopback } from '@countersign/core/gate-kit'
import {
  createSettingsSessions,
  type SettingsSessions,
  type SettingsSessionsOptions,
  type SettingsUser,
} from '@countersign/settings-session'
import { postgresSessions } from '@countersign/settings-session/postgres'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import type { Command } from 'commander'
import type { AnyCommand, CommandDefinition } from '../command.js'
import { addStateOptions, type StateOptions, type StoreMakers, withStore } from '../connect/state.js'
import type { Context } from '../context.js'
import { isoTime, parseSeconds, relativeTime } from '../durations.js'
import { notFoundError, usageError } from '../errors.js'
import { parseUrl } from '../input.js'

interface UserOptions extends StateOptions {
  readonly team?: string
}

interface LinkOptions extends UserOptions {
  readonly baseUrl: string
  readonly agent?: string
  readonly returnTo?: string
  readonly ttl?: number
  readonly confirmCode?: boolean
}

const list: CommandDefinition<UserOptions, [platform: string, userId: string]> = {
  usage: 'list <platform> <user-id>',
  summary: 'list the active sessions of a person',
  details: 'Put an id that starts with "-" after "--".',
  examples: ['countersign session list slack U123 --team T1', 'countersign session list telegram -- -100123'],
  options: addUserOptions,
  async run(context, options, platform, userId) {
    const sessions = await withSessions(context, options, {}, (settings) =>
      settings.list(userOf(platform, userId, options)),
    )
    const rows = sessions.map(({ id, principal, kind, createdAt, lastSeenAt, expiresAt }) => ({
      id,
      kind,
      user: principal.id,
      agentId: principal.agentId,
      identity: principal.identity,
      createdAt: isoTime(createdAt.getTime()),
      lastSeenAt: isoTime(lastSeenAt.getTime()),
      expiresAt: isoTime(expiresAt.getTime()),
    }))
    if (options.json) context.output.json(rows)
    else {
      context.output.table(
        ['session', 'kind', 'user', 'identity', 'created', 'seen', 'expires'],
        rows.map(({ id, kind, user, identity, createdAt, lastSeenAt, expiresAt }) => [
          ...[id, kind, user, identity?.subject, createdAt],
          ...[relativeTime(Date.parse(lastSeenAt)), relativeTime(Date.parse(expiresAt))],
        ]),
      )
    }
  },
}

const revoke: CommandDefinition<UserOptions, [id: string, platform?: string, userId?: string]> = {
  usage: 'revoke <session-id> [platform] [user-id]',
  changesState: true,
  summary: 'revoke one session, immediately',
  details: 'If you name the person, a prefix of the id is enough.',
  examples: ['countersign session revoke 3f8Jc telegram 4711'],
  options: addUserOptions,
  async run(context, options, text, platform, userId) {
    if (platform !== undefined && userId === undefined) throw usageError('name the person by platform and user id')
    const id = await withSessions(context, options, {}, async (settings) => {
      const id =
        platform === undefined || userId === undefined
          ? text
          : await idOf(settings, text, userOf(platform, userId, options))
      return id !== undefined && (await settings.revoke(id)) ? id : undefined
    })
    if (id === undefined) {
      throw notFoundError(
        'there is no such session: it has ended, or the id is wrong or incomplete; "session list" shows the ids of a person',
      )
    }
    context.output.result(options.json, { revoked: id }, `revoked ${id}`)
  },
}

/** The id that starts with this text, among the sessions of a person. @throws {CommandError} when there are several. */
async function idOf(settings: SettingsSessions, start: string, user: SettingsUser): Promise<string | undefined> {
  const found = (await settings.list(user)).map(({ id }) => id).filter((id) => id.startsWith(start))
  if (found.length > 1) {
    throw usageError(
      `${found.length} sessions have ids that start with ${start}: enter more of it. ${found.join(', ')}`,
    )
  }
  return found[0]
}

const revokeAll: CommandDefinition<UserOptions, [platform: string, userId: string]> = {
  usage: 'revoke-all <platform> <user-id>',
  changesState: true,
  summary: 'revoke every session and every link of a person, also links that are being opened',
  examples: ['countersign session revoke-all telegram 4711'],
  options: addUserOptions,
  async run(context, options, platform, userId) {
    const user = userOf(platform, userId, options)
    const count = await withSessions(context, options, {}, async (settings) => {
      const sessions = await settings.list(user)
      await settings.revokeAll(user)
      return sessions.length
    })
    const text = `revoked ${count} ${count === 1 ? 'session' : 'sessions'} and every link`
    context.output.result(options.json, { ...user, revoked: count }, text)
  },
}

const link: CommandDefinition<LinkOptions, [platform: string, userId: string]> = {
  usage: 'link <platform> <user-id>',
  changesState: true,
  summary: 'issue a settings link, for development',
  details: 'The base URL must be on localhost.',
  examples: ['countersign session link demo you --base-url http://localhost:3000/settings'],
  options: (command) =>
    addUserOptions(command)
      .requiredOption('--base-url <url>', 'where the settings are mounted')
      .option('--agent <id>', 'the agent that offers the link')
      .option('--return-to <path>', 'a path below the base URL')
      .option('--ttl <time>', 'how long it may be opened (default: 10m)', parseSeconds)
      .option('--confirm-code', 'let the page ask for digits, and print them'),
  async run(context, options, platform, userId) {
    const { baseUrl, agent, returnTo, ttl, confirmCode, json } = options
    if (!isLoopback(parseUrl(baseUrl).hostname) || context.env.NODE_ENV === 'production') {
      throw usageError(
        'links are printed for development only: --base-url must be on localhost, and NODE_ENV not production',
      )
    }
    await withSessions(context, options, { baseUrl, linkTtlSeconds: ttl, confirmCode }, async (sessions) => {
      const issued = await sessions.issueLink({
        ...userOf(platform, userId, options),
        ...(agent === undefined ? {} : { agentId: agent }),
        ...(returnTo === undefined ? {} : { returnTo }),
      })
      const { delivered } = await sessions.deliver(issued, (url, code) => {
        const text = url.reveal('deliver-to-user')
        context.output.result(json, { url: text, expiresAt: issued.receipt.expiresAt, code }, text)
        if (!json && code !== undefined) context.output.note(`The page asks for ${code}.`)
      })
      if (!delivered) throw usageError('the link could not be printed: standard output is closed')
    })
  },
}

/** The commands of `session`. */
export const sessionCommands: readonly AnyCommand[] = [list, revoke, revokeAll, link]

function addUserOptions(command: Command): Command {
  return addStateOptions(command).option('--team <id>', 'the team or workspace, for platforms that have them')
}

function userOf(platform: string, userId: string, { team }: UserOptions): SettingsUser {
  return { platform, userId, ...(team === undefined ? {} : { team }) }
}

function withSessions<T>(
  context: Context,
  options: StateOptions,
  settings: Partial<SettingsSessionsOptions>,
  work: (sessions: SettingsSessions) => Promise<T>,
): Promise<T> {
  return withStore(context, options, makers, (store) => {
    // Listing and revoking need no address.
    return work(
      createSettingsSessions({ baseUrl: 'http://localhost/settings', ...settings, store, audit: context.audit }),
    )
  })
}

const makers: StoreMakers<SettingsStore> = { redis: redisSessions, postgres: postgresSessions }
