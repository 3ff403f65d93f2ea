import { audit as defaultAudit, type Audit } from '@countersign/core'
import { isPromise, option, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import { credentialEvents } from './credential-events.js'
import { type IssueOptions, issueRules, nameRule } from './issue-options.js'
import { IssueRefusedError } from './issue-refused-error.js'
import { IssuedCredential } from './issued-credential.js'
import { type LifeOptions, lifeRules, resolveLife } from './life.js'
import { createResolver, type IsAlive, type Resolution } from './resolve-credential.js'
import { memoryCredentials } from './stores/memory.js'
import type { ListFilter, ListPage, MaybePromise, McpCredentialStore, RevocableScope } from './stores/store.js'
import { DEFAULT_PREFIX, isCredentialId, mintToken, PREFIX_PATTERN, parseToken } from './token.js'

export interface McpCredentialsOptions extends LifeOptions {
  /** Default: this process's memory; give `redisCredentials(redis)` to more than one process. */
  readonly store?: McpCredentialStore
  /** What every token starts with: 1 to 8 letters and digits. Default `mcps`. */
  readonly prefix?: string
  /**
   * Asked before an idle, but proven, holder is refused: a model may think for longer than the timeout. What is idle
   * stays known for 24 h when this is set, and for 1 h otherwise.
   */
  readonly isAlive?: IsAlive
  /** Milliseconds that `isAlive` may take, default 1000. */
  readonly livenessTimeoutMs?: number
  /** Where changes are reported. Default: the process-wide emitter. */
  readonly audit?: Audit
}

const rules = {
  ...lifeRules,
  store: option.port<McpCredentialStore>('a store, such as memoryCredentials()', 'issue', 'resolve', 'revoke'),
  prefix: option.string(PREFIX_PATTERN, 'a letter and at most 7 letters and digits').default(DEFAULT_PREFIX),
  isAlive: option.func<IsAlive>(),
  livenessTimeoutMs: option.integer(1, 60_000).default(1000),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe'),
}

const listRules = {
  threadId: nameRule(),
  providerInstanceId: nameRule(),
  cursor: option.string(),
  limit: option.integer(1, 1000).default(100),
}
const retireRules = { blockMs: option.integer(1, 365 * 86_400_000).default(86_400_000) }

/** The credentials of an app's agent sessions. */
export interface McpCredentials {
  readonly prefix: string
  readonly store: McpCredentialStore
  /** Mints a credential for a thread. Rejects with {@link IssueRefusedError} when the thread is retired or a limit is reached. */
  issue(options: IssueOptions): Promise<IssuedCredential>
  /** What a token stands for; slides its deadlines when it is live. Throws or rejects when the store or `isAlive` fails. */
  resolve(token: string): MaybePromise<Resolution>
  /** What became of a credential that was proven before; nothing slides. */
  check(credentialId: string): MaybePromise<Resolution>
  /** Tells that a thread is alive: the host's own activity. False when the thread has no credentials. */
  touch(threadId: string): Promise<boolean>
  /** Ends one credential. False when there is none, or it was ended before. */
  revoke(credentialId: string): Promise<boolean>
  revokeThread(threadId: string): Promise<boolean>
  revokeProvider(providerInstanceId: string): Promise<boolean>
  revokeProviderSession(providerSessionId: string): Promise<boolean>
  revokeAll(): Promise<boolean>
  /** Ends a thread for good: revokes it, and refuses to issue for it during `blockMs` (default 24 h). */
  retire(threadId: string, options?: { readonly blockMs?: number }): Promise<boolean>
  /** A page of the credentials that are not ended, the idle ones included. */
  list(options?: ListFilter & { readonly cursor?: string; readonly limit?: number }): Promise<ListPage>
  /** How many credentials there are, aliases included. */
  stats(): Promise<{ readonly credentials: number }>
  /** Settles when the store can be used; rejects when it must not be, for example a Redis that evicts. */
  ready(): Promise<void>
  /** Writes the store's state to a file; hashes only. Resolves with the number of credentials. */
  snapshot(file: string): Promise<number>
  /** Reads back a snapshot: a restart is not a revocation. */
  restore(file: string): Promise<number>
  /** Releases what the store holds. Credentials are not ended. */
  close(): Promise<void>
  /** Calls back after each revocation that was made through this object. Returns the function that ends it. */
  onRevoked(listener: () => void): () => void
}

/**
 * Makes the registry of agent credentials: issue, resolve, touch, revoke.
 *
 * @throws {OptionError}
 * @example
 * const credentials = createMcpCredentials({ store: redisCredentials(redis) })
 * const issued = await credentials.issue({ threadId, providerInstanceId, capabilities: ['preview'] })
 */
export function createMcpCredentials(options: McpCredentialsOptions = {}): McpCredentials {
  const resolved = resolveOptions('createMcpCredentials', options, rules)
  const { store = memoryCredentials(), prefix, isAlive, livenessTimeoutMs, audit = defaultAudit } = resolved
  const life = resolveLife('createMcpCredentials', resolved, isAlive !== undefined)
  const events = credentialEvents(audit)
  const resolver = createResolver({ store, life, isAlive, livenessTimeoutMs })
  const listeners = new Set<() => void>()

  function announce(): void {
    for (const listener of listeners) listener()
  }

  async function issue(given: IssueOptions): Promise<IssuedCredential> {
    const { threadId, providerInstanceId, providerSessionId, capabilities, onExisting, overlapMs } = resolveOptions(
      'credentials.issue',
      given,
      issueRules,
    )
    const { id, secret, token } = mintToken(prefix, { threadId, providerInstanceId, providerSessionId })
    const digest = sha256(secret)
    const subject = { id, digest, threadId, providerInstanceId, providerSessionId, capabilities }
    const work = store.issue({ ...subject, onExisting, overlapMs }, life)
    const outcome = isPromise(work) ? await work : work
    if (outcome.outcome === 'retired') {
      throw new IssueRefusedError('ERR_COUNTERSIGN_THREAD_RETIRED', 'the thread is retired: nothing is issued for it any more')
    }
    if (outcome.outcome === 'full') {
      throw new IssueRefusedError('ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS', `${outcome.limit} is reached: revoke some, or raise it`)
    }
    events.issued(outcome.credential, outcome.carried)
    for (const old of outcome.superseded) events.superseded(old, id)
    if (outcome.superseded.length > 0) announce()
    return new IssuedCredential(outcome.credential, outcome, token, () => revoke(id))
  }

  async function revoke(id: string): Promise<boolean> {
    if (!isCredentialId(id)) return false
    const work = store.revoke(id, life)
    const done = isPromise(work) ? await work : work
    if (done) events.revoked(id)
    announce()
    return done
  }

  async function revokeScope(scope: RevocableScope, id: string): Promise<boolean> {
    assertName(scope, id)
    const work = store.revokeScope(scope, id)
    const done = isPromise(work) ? await work : work
    events.scopeRevoked(scope, id, done)
    announce()
    return done
  }

  return {
    prefix,
    store,
    issue,
    resolve(token) {
      const parts = parseToken(prefix, token)
      return parts === undefined ? MALFORMED : resolver.resolve(parts.id, sha256(parts.secret))
    },
    check: (id) => (isCredentialId(id) ? resolver.check(id) : MALFORMED),
    async touch(threadId) {
      assertName('threadId', threadId)
      return store.touch(threadId, life)
    },
    revoke,
    revokeThread: (threadId) => revokeScope('thread', threadId),
    revokeProvider: (providerInstanceId) => revokeScope('provider', providerInstanceId),
    revokeProviderSession: (providerSessionId) => revokeScope('session', providerSessionId),
    revokeAll: () => revokeScope('all', '*'),
    async retire(threadId, given = {}) {
      assertName('threadId', threadId)
      const { blockMs } = resolveOptions('credentials.retire', given, retireRules)
      const work = store.retire(threadId, blockMs)
      const done = isPromise(work) ? await work : work
      events.retired(threadId)
      announce()
      return done
    },
    async list(given = {}) {
      const { cursor, limit, ...filter } = resolveOptions('credentials.list', given, listRules)
      return store.list(filter, cursor, limit, life)
    },
    stats: async () => ({ credentials: await store.count(life) }),
    ready: async () => store.ready?.(),
    snapshot: (file) => persist(store.snapshot, file),
    restore: (file) => persist(store.restore, file),
    close: async () => store.close?.(),
    onRevoked(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }

  async function persist(work: McpCredentialStore['snapshot'], file: string): Promise<number> {
    if (work !== undefined) return work.call(store, file, life)
    const error = new TypeError('snapshot and restore are for the memory store: this store keeps its state itself')
    throw Object.assign(error, { code: 'ERR_COUNTERSIGN_SNAPSHOT_UNSUPPORTED' })
  }
}

const MALFORMED: Resolution = Object.freeze({ standing: 'malformed' })

function assertName(name: string, value: unknown): void {
  resolveOptions('credentials', { [name]: value }, { [name]: nameRule().required() })
}
