import { notFoundError } from '../command-error.js'
import type { NamespaceOption } from '../connect/namespace-option.js'
import type { Context } from '../context.js'
import { isoTime, relativeTime } from '../durations.js'
import type { UserOptions } from './user-options.js'
import { NO_ADDRESS, userOf, withSessions } from './with-sessions.js'

type Json = { readonly json?: boolean }

/** `session list`: the active sessions of a person, oldest first. */
export async function listSessions(
  context: Context,
  options: UserOptions & Json,
  platform: string,
  userId: string,
): Promise<undefined> {
  const sessions = await withSessions(context, options, NO_ADDRESS, (settings) =>
    settings.list(userOf(platform, userId, options)),
  )
  const rows = sessions.map(({ id, principal, kind, createdAt, lastSeenAt, expiresAt }) => ({
    id,
    kind,
    user: principal.id,
    ...(principal.agentId === undefined ? {} : { agentId: principal.agentId }),
    ...(principal.identity === undefined ? {} : { identity: principal.identity }),
    createdAt: isoTime(createdAt.getTime()),
    lastSeenAt: isoTime(lastSeenAt.getTime()),
    expiresAt: isoTime(expiresAt.getTime()),
  }))
  if (options.json) context.output.json(rows)
  else {
    context.output.table(
      ['session', 'kind', 'user', 'identity', 'created', 'seen', 'expires'],
      rows.map((row) => [
        row.id,
        row.kind,
        row.user,
        row.identity?.subject,
        row.createdAt,
        relativeTime(Date.parse(row.lastSeenAt)),
        relativeTime(Date.parse(row.expiresAt)),
      ]),
    )
  }
}

/** `session revoke`: ends one session. Throws when there is none. */
export async function revokeSession(context: Context, options: NamespaceOption & Json, id: string): Promise<undefined> {
  const ended = await withSessions(context, options, NO_ADDRESS, (settings) => settings.revoke(id))
  if (!ended) throw notFoundError('there is no such session: it ended, or this is no id; "session list" has them')
  if (options.json) context.output.json({ revoked: id })
  else context.output.line(`revoked ${id}`)
}

/** `session revoke-all`: ends every session of a person and voids every link. */
export async function revokeAllSessions(
  context: Context,
  options: UserOptions & Json,
  platform: string,
  userId: string,
): Promise<undefined> {
  const user = userOf(platform, userId, options)
  const count = await withSessions(context, options, NO_ADDRESS, async (settings) => {
    const sessions = await settings.list(user)
    await settings.revokeAll(user)
    return sessions.length
  })
  if (options.json) context.output.json({ ...user, revoked: count })
  else context.output.line(`revoked ${count} ${count === 1 ? 'session' : 'sessions'}, and every link`)
}
