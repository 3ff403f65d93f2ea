import type { PostgresClient, PostgresStoreOptions } from '@countersign/postgres'
import { createRunner } from '@countersign/postgres/store'
import { attemptKey } from './keys.js'
import type { Exchange, LinkContent, LinkRefusal, NewSession, SettingsStore } from './port.js'
import { postgresIdentities, tableKey } from './postgres/identities.js'
import {
  type FunctionReply,
  readInReply,
  refusalInReply,
  type SessionInReply,
  sessionInReply,
} from './postgres/reply.js'
import { ENDED_MS, MAX_WRONG_CODES, REPEAT_MS, TOMBSTONE_MS } from './rules.js'

const times = { endedMs: ENDED_MS, tombstoneMs: TOMBSTONE_MS, repeatMs: REPEAT_MS, mostWrong: MAX_WRONG_CODES }
const lasting = ({ idleMs, absoluteMs, maxSessions }: Exchange['limits']) => ({
  idle: idleMs,
  absolute: absoluteMs,
  most: maxSessions,
})

/**
 * A store for any number of processes. Each operation is one call of a function, and so one transaction. Every call rejects with
 * an `UnavailableError` when PostgreSQL cannot be asked within `commandTimeoutMs`, and then has no effect later. The tables are
 * made by `countersign migrate`.
 *
 * @throws {OptionError} at creation.
 * @example
 * createSettingsSessions({ baseUrl, store: postgresSessions(new pg.Pool({ connectionString })) })
 */
export function postgresSessions(client: PostgresClient, options: PostgresStoreOptions = {}): SettingsStore {
  const runner = createRunner(client, 'postgresSessions', 'session_store', 'countersign_settings_sweep', options)
  const { run, change } = runner

  return {
    ...postgresIdentities(runner),
    async issueLink({ ref, content, ttlMs, codeHash }) {
      const link = { ...ref, user: tableKey(content.user), content: JSON.stringify(content) }
      const expiresAt = await change('countersign_settings_issue_link', { ...times, ...link, ttl: ttlMs, codeHash })
      return { expiresAt: Number(expiresAt) }
    },
    async peekLink({ tag, hash }) {
      const reply = (await run('countersign_settings_peek_link', { tag, hash })) as FunctionReply & {
        readonly content: string
        readonly expiresAt: number
        readonly needsCode: boolean
      }
      const { outcome, content, expiresAt, needsCode } = reply
      if (outcome !== 'open') return refusalInReply<LinkRefusal>(reply)
      return { outcome, content: JSON.parse(content) as LinkContent, expiresAt, needsCode }
    },
    async exchange({ link, session, attempt, state, limits, codeHash }) {
      const refs = { link: link.tag, linkHash: link.hash, session: session.tag, sessionHash: session.hash }
      const what = { ...times, ...refs, attempt, state, ...lasting(limits), codeHash }
      const reply = (await change('countersign_settings_exchange', what)) as FunctionReply & {
        readonly isVoided?: boolean
      }
      const { outcome, session: opened, isRepeat = false, ended } = reply
      if (outcome === 'opened' && opened !== undefined)
        return { outcome, session: sessionInReply(opened), isRepeat, ended }
      const refusal = refusalInReply<LinkRefusal | 'wrong_code'>(reply)
      return reply.isVoided ? { ...refusal, isVoided: true } : refusal
    },
    async voidLink({ tag, hash }) {
      return (await change('countersign_settings_void_link', { tag, hash })) === true
    },
    async openSession({ ref, content, state, limits }: NewSession) {
      const named = { session: ref.tag, sessionHash: ref.hash, user: tableKey(content.user) }
      const what = { ...times, ...named, content: JSON.stringify(content), state, ...lasting(limits) }
      const reply = (await change('countersign_settings_open_session', what)) as FunctionReply
      const opened = readInReply(reply)
      return opened.outcome === 'refused'
        ? opened
        : { ...opened, isRepeat: reply.isRepeat === true, ended: reply.ended }
    },
    async read({ tag, hash }) {
      return readInReply((await run('countersign_settings_read', { tag, hash })) as FunctionReply)
    },
    async revoke(id, hash, { freesLink = false } = {}) {
      const what = { ...times, tag: id, hash, freesLink }
      const reply = (await change('countersign_settings_revoke', what)) as SessionInReply | null
      return reply === null ? undefined : sessionInReply(reply)
    },
    async revokeAll(user) {
      await change('countersign_settings_revoke_all', { user: tableKey(user) })
    },
    async list(user) {
      const replies = await run('countersign_settings_list', { user: tableKey(user) })
      return (replies as readonly SessionInReply[]).map(sessionInReply)
    },
    async countAttempt(name, most, windowMs) {
      const what = { name: `n${attemptKey(name)}`, most, window: windowMs }
      return Number(await change('countersign_settings_count_attempt', what))
    },
  }
}
