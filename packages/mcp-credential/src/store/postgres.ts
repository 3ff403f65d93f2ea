import { randomBytes, timingSafeEqual } from 'node:crypto'
import { BoundedTtlMap, option, resolveOptions, systemClock } from '@countersign/core/gate-kit'
import type { PostgresClient, PostgresStoreOptions } from '@countersign/postgres'
import { createRunner, newAttempt, postgresStoreOptionRules } from '@countersign/postgres/store'
import { providerHash, sessionHash, threadHash } from '../token.js'
import type { CredentialLife, FoundCredential, McpCredentialStore, RevocableScope, WrongSecret } from './port.js'
import { issueInTwoSteps } from './postgres/issue.js'
import { type FoundRow, lifeOf, recordInRow } from './postgres/replies.js'

/** Options of {@link postgresCredentials}. */
export interface PostgresCredentialsOptions extends PostgresStoreOptions {
  /** Credentials that one thread may have at once. Default 100. */
  readonly maxPerThread?: number | undefined
}

const RULES = { ...postgresStoreOptionRules, maxPerThread: option.integer(1, 10_000).default(100) }

const REMEMBERED_MS = 10 * 60_000
const running = () => systemClock.monotonic()
const WRONG: WrongSecret = Object.freeze({ isProven: false })

/**
 * Credentials for any number of processes on one PostgreSQL: one call of a function per decision. Deadlines are the server's.
 * Methods reject with an `UnavailableError` when PostgreSQL cannot be asked in time. The tables are made by `countersign
 * migrate`.
 *
 * @throws {OptionError}
 * @example
 * createMcpCredentials({ store: postgresCredentials(new pg.Pool({ connectionString })) })
 */
export function postgresCredentials(
  client: PostgresClient,
  options: PostgresCredentialsOptions = {},
): McpCredentialStore {
  const { maxPerThread, ...terms } = resolveOptions('postgresCredentials', options, RULES)
  const { namespace, run, change, ready } = createRunner(
    client,
    'postgresCredentials',
    'credential_store',
    'countersign_mcp_sweep',
    terms,
  )
  /** Attempts to revoke whose outcome is unknown: a retry finds that it was done. */
  const revokes = new BoundedTtlMap<string, string>({ maxEntries: 10_000, clock: { now: running, monotonic: running } })

  async function prove(mode: 'use' | 'revive', id: string, digest: Buffer, life: CredentialLife) {
    const reply = (await run('countersign_mcp_resolve', {
      mode,
      id,
      digest: digest.toString('hex'),
      ...lifeOf(life),
    })) as FoundRow | 1 | null
    if (reply === null) return undefined
    if (reply === 1) return WRONG
    const stored = Buffer.from(reply[1], 'hex')
    // Once more, in constant time.
    return { ...foundFrom(reply), isProven: stored.length === digest.length && timingSafeEqual(stored, digest) }
  }

  const end = async (scope: string, more: object = {}) =>
    (await change('countersign_mcp_revoke_scope', { scope, ...more })) === true

  return {
    namespace,
    issue: issueInTwoSteps(change, maxPerThread),
    resolve: (id, digest, life) => prove('use', id, digest, life),
    revive: (id, digest, life) => prove('revive', id, digest, life),
    async peek(id, life) {
      const reply = (await run('countersign_mcp_resolve', { mode: 'peek', id, ...lifeOf(life) })) as FoundRow | null
      return reply === null ? undefined : foundFrom(reply)
    },
    async touch(threadId, life) {
      return (await run('countersign_mcp_touch', { thread: threadHash(threadId), ...lifeOf(life) })) === true
    },
    async revoke(id, life) {
      const attempt = revokes.get(id) ?? newAttempt()
      const onUnknown = () => void revokes.set(id, attempt, running() + REMEMBERED_MS)
      const terms = { attempt, onUnknown }
      const isRevoked = await change('countersign_mcp_revoke', { id, ...lifeOf(life) }, terms)
      revokes.delete(id)
      return isRevoked === true
    },
    revokeScope(scope, id) {
      return end(scope === 'all' ? 'a' : scope.charAt(0) + hashOf(scope, id))
    },
    retire(threadId, blockMs) {
      return end(`t${threadHash(threadId)}`, { block: blockMs })
    },
    async list({ threadId, providerInstanceId }, cursor, limit, life) {
      const thread = threadId === undefined ? '' : threadHash(threadId)
      const provider = providerInstanceId === undefined ? undefined : providerHash(providerInstanceId)
      const what = { thread, provider, after: cursor ?? '', limit, ...lifeOf(life) }
      const replies = (await run('countersign_mcp_list', what)) as readonly FoundRow[]
      const listed = replies.map((reply) => ({ ...recordInRow(reply), standing: reply[0] }))
      return {
        // The hashes are short.
        credentials: listed.filter(
          (one) =>
            (threadId === undefined || one.threadId === threadId) &&
            (providerInstanceId === undefined || one.providerInstanceId === providerInstanceId),
        ),
        cursor: replies.length < limit ? undefined : replies.at(-1)?.[2],
      }
    },
    count: async (life) => Number(await run('countersign_mcp_count', lifeOf(life))),
    async sessionKey() {
      const key = await run('countersign_mcp_session_key', { key: randomBytes(32).toString('base64url') })
      return Buffer.from(String(key), 'base64url')
    },
    ready,
  }
}

function foundFrom(reply: FoundRow): FoundCredential {
  const [standing, , , , , expiresAt, idleAt, now] = reply
  const found = { standing, isProven: false, credential: recordInRow(reply) }
  if (standing !== 'expired' && standing !== 'idle') return found
  return { ...found, lateMs: now - (standing === 'expired' ? expiresAt : idleAt) }
}

/** The hash by which ids have what is revoked. */
function hashOf(scope: Exclude<RevocableScope, 'all'>, id: string): string {
  return scope === 'thread' ? threadHash(id) : scope === 'provider' ? providerHash(id) : sessionHash(id)
}
