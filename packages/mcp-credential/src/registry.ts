import { type Audit, audit as defaultAudit } from '@countersign/core'
import { andThen, type OptionAliases, option, resolveOptions } from '@countersign/core/gate-kit'
import { credentialEvents } from './registry/events.js'
import { rememberIssues } from './registry/issue-memory.js'
import { type IssueOptions, type ResolvedIssueOptions, resolveIssueOptions } from './registry/issue-options.js'
import { IssueRefusedError } from './registry/issue-refused-error.js'
import { IssuedCredential } from './registry/issued-credential.js'
import { type LifeOptions, lifeRules, resolveLife } from './registry/life.js'
import { NAME } from './registry/name.js'
import { createResolver, type IsAlive, type Resolution } from './registry/resolver.js'
import { attributesOf, operatorIn, type RevokeOptions, revokeRules } from './registry/revoke-options.js'
import { besides, type Concerns, inScope } from './store/concerned.js'
import { memoryCredentials } from './store/memory.js'
import type {
  CredentialRecord,
  ListFilter,
  ListPage,
  MaybePromise,
  McpCredentialStore,
  Replaced,
  RevocableScope,
} from './store/port.js'
import { DEFAULT_PREFIX, isCredentialId, mintToken, PREFIX_PATTERN, parseToken, secretDigest } from './token.js'

/** Options of {@link createMcpCredentials}. */
export interface McpCredentialsOptions extends LifeOptions {
  /** Default: this process's memory; give `redisCredentials(redis)` to more than one process. */
  readonly store?: McpCredentialStore | undefined
  /** What every token starts with: 1 to 8 letters and digits; a token is good with its own prefix alone. Default `mcps`. */
  readonly prefix?: string | undefined
  /**
   * Asked before an idle, but proven, holder is refused: a model may think for longer than the timeout. Idle credentials
   * stay known for 24 h when this is set, and for 1 h otherwise.
   */
  readonly isAlive?: IsAlive | undefined
  /** Milliseconds that `isAlive` may take. Default 1000. */
  readonly livenessTimeoutMs?: number | undefined
  /** Where changes are reported. Default: the process-wide emitter. */
  readonly audit?: Audit | undefined
}

const RULES = {
  ...lifeRules,
  store: option.port<McpCredentialStore>('a store, such as memoryCredentials()', 'issue', 'resolve', 'revoke'),
  prefix: option.string(PREFIX_PATTERN, 'a letter and at most 7 letters and digits').default(DEFAULT_PREFIX),
  isAlive: option.func<IsAlive>(),
  livenessTimeoutMs: option.integer(1, 60_000).default(1000),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
}

const ALIASES: OptionAliases = {
  ttl: 'maximumLifetimeSeconds',
  ttlseconds: 'maximumLifetimeSeconds',
  expiresin: 'absoluteLifetimeSeconds',
  idlettlseconds: 'idleTimeoutSeconds',
  maxageseconds: 'absoluteLifetimeSeconds',
  tokenprefix: 'prefix',
}

const LIST_RULES = {
  threadId: NAME,
  providerInstanceId: NAME,
  cursor: option.string(),
  limit: option.integer(1, 1000).default(100),
}
const RETIRE_RULES = { ...revokeRules, blockSeconds: option.seconds(0.001, 365 * 86_400).default(86_400) }

/** The credentials of an app's agent sessions. */
export interface McpCredentials {
  /** What every token starts with. */
  readonly prefix: string
  /** Where the credentials are kept. */
  readonly store: McpCredentialStore
  /**
   * Mints a credential for a thread. Rejects with `IssueRefusedError` when the thread is retired or a limit is reached, and
   * with an `UnavailableError` when the store did not acknowledge it: then nobody was cut off, and what may have been
   * written dies after 60 s. The same when a required audit sink did not record it (`audit_sink`): it is revoked.
   */
  issue(options: IssueOptions): Promise<IssuedCredential>
  /**
   * What a token stands for; slides its deadlines when it is live. Throws or rejects with an `UnavailableError` when the
   * store or `isAlive` cannot be asked.
   */
  resolve(token: string): MaybePromise<Resolution>
  /** The standing of a credential that was proven before; nothing slides. */
  check(credentialId: string): MaybePromise<Resolution>
  /** Notes that a thread is alive: the host's own activity. False when the thread has no credentials. */
  touch(threadId: string): Promise<boolean>
  /**
   * Revokes one credential. False when there is none, or it was revoked before. A retry after an `UnavailableError` is true
   * when the first attempt was done.
   */
  revoke(credentialId: string, options?: RevokeOptions): Promise<boolean>
  /** Revokes every credential of a thread. False when there was none. */
  revokeThread(threadId: string, options?: RevokeOptions): Promise<boolean>
  /** Revokes every credential of a provider. False when there was none. */
  revokeProvider(providerInstanceId: string, options?: RevokeOptions): Promise<boolean>
  /** Revokes every credential of a provider's session. False when there was none. */
  revokeProviderSession(providerSessionId: string, options?: RevokeOptions): Promise<boolean>
  /** Revokes every credential. False when there was none. */
  revokeAll(options?: RevokeOptions): Promise<boolean>
  /** Ends a thread for good: revokes it, and refuses to issue for it during `blockSeconds` (default 24 h). */
  retire(threadId: string, options?: RevokeOptions & { readonly blockSeconds?: number | undefined }): Promise<boolean>
  /** A page of the credentials that are neither revoked nor superseded, the idle ones included. */
  list(
    options?: ListFilter & { readonly cursor?: string | undefined; readonly limit?: number | undefined },
  ): Promise<ListPage>
  /** How many credentials are neither revoked nor superseded, aliases included. It looks at each of them. */
  stats(): Promise<{ readonly credentials: number }>
  /** Settles when the store can be used; rejects when it must not be, for example a Redis that evicts. */
  ready(): Promise<void>
  /** Releases what the store holds. Credentials are not revoked. */
  close(): Promise<void>
  /**
   * Calls back after each revocation that was made through this object, and after those of other processes that the store
   * tells of, with a function that tells from an id whether that credential may have ended: false when it surely has not.
   * Returns the function that unsubscribes.
   */
  onRevoked(listener: (mayHaveEnded: (credentialId: string) => boolean) => void): () => void
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
  const resolved = resolveOptions('createMcpCredentials', options, RULES, '', ALIASES)
  const { store = memoryCredentials(), prefix, isAlive, livenessTimeoutMs, audit } = resolved
  const life = resolveLife('createMcpCredentials', resolved, isAlive !== undefined)
  const events = credentialEvents(audit)
  const resolver = createResolver({ store, life, isAlive, livenessTimeoutMs, onRevived: events.revived })
  const listeners = new Set<(mayHaveEnded: Concerns) => void>()
  let stopHearing: (() => void) | undefined
  const digestOf = (secret: string) => secretDigest(prefix, store.namespace ?? '', secret)
  const retries = rememberIssues<ReturnType<typeof mintToken>, IssuedCredential>()

  function announceRevocation(mayHaveEnded: Concerns): void {
    for (const listener of listeners) listener(mayHaveEnded)
  }

  async function issue(given: IssueOptions): Promise<IssuedCredential> {
    const { idempotencyKey, ...subject } = resolveIssueOptions(given)
    const mint = () => mintToken(prefix, subject)
    if (idempotencyKey === undefined) return issueAs(subject, mint())
    return retries.once(idempotencyKey, JSON.stringify(subject), mint, (minted) => issueAs(subject, minted))
  }

  async function issueAs(
    subject: Omit<ResolvedIssueOptions, 'idempotencyKey'>,
    minted: ReturnType<typeof mintToken>,
  ): Promise<IssuedCredential> {
    const { id, secret, token } = minted
    const undo = (cause: 'audit_sink' | 'limit') => {
      retries.spend(minted)
      return undoIssue(id, cause)
    }
    let isRecorded = false
    const accept = (credential: CredentialRecord) => {
      isRecorded = true
      return events.issued(credential, subject.onExisting, () => undo('audit_sink'))
    }
    const outcome = await store.issue({ ...subject, id, digest: digestOf(secret) }, life, accept)
    if (outcome.outcome === 'retired') {
      throw new IssueRefusedError(
        'ERR_COUNTERSIGN_THREAD_RETIRED',
        'the thread is retired: no credential is issued for it',
      )
    }
    if (outcome.outcome === 'full') {
      if (isRecorded) await undo('limit')
      throw new IssueRefusedError(
        'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS',
        `${outcome.limit} is reached: revoke some credentials, or raise it`,
      )
    }
    // A store that knows nothing of `accept`: what the new one replaced stays ended.
    if (!isRecorded) await accept(outcome.credential)
    tellSuperseded(outcome, id)
    outcome.pending?.then(
      (replaced) => tellSuperseded(replaced, id),
      // A bug of the store: it stays pending.
      () => undefined,
    )
    return new IssuedCredential(outcome.credential, outcome, token, (whose) => revoke(id, whose))
  }

  async function undoIssue(id: string, cause: 'audit_sink' | 'limit'): Promise<void> {
    if (await store.revoke(id, life)) events.revoked(id, { cause })
    announceRevocation(besides(id))
  }

  function tellSuperseded({ superseded }: Replaced, by: string): void {
    for (const old of superseded) events.superseded(old, by)
    if (superseded.length > 0) announceRevocation(besides(by))
  }

  async function revoke(id: string, options?: RevokeOptions): Promise<boolean> {
    const operator = operatorIn(options)
    if (!isCredentialId(id)) return false
    const done = await store.revoke(id, life)
    if (done) events.revoked(id, operator)
    announceRevocation(besides(id))
    return done
  }

  async function revokeScope(scope: RevocableScope, id: string, options?: RevokeOptions): Promise<boolean> {
    assertName(SCOPE_NAMES[scope], id)
    const operator = operatorIn(options)
    const done = await store.revokeScope(scope, id)
    events.scopeRevoked(scope, id, done, operator)
    announceRevocation(inScope(scope, id))
    return done
  }

  if (store.isRestored) andThen(store.count(life), events.restored)

  return {
    prefix,
    store,
    issue,
    resolve(token) {
      const parts = parseToken(prefix, token)
      return parts === undefined ? MALFORMED : resolver.resolve(parts.id, digestOf(parts.secret))
    },
    check: (id) => (isCredentialId(id) ? resolver.check(id) : MALFORMED),
    async touch(threadId) {
      assertName('threadId', threadId)
      return store.touch(threadId, life)
    },
    revoke,
    revokeThread: (threadId, options) => revokeScope('thread', threadId, options),
    revokeProvider: (providerInstanceId, options) => revokeScope('provider', providerInstanceId, options),
    revokeProviderSession: (providerSessionId, options) => revokeScope('session', providerSessionId, options),
    revokeAll: (options) => revokeScope('all', '*', options),
    async retire(threadId, given = {}) {
      assertName('threadId', threadId)
      const { blockSeconds, ...whose } = resolveOptions('credentials.retire', given, RETIRE_RULES)
      const done = await store.retire(threadId, Math.round(blockSeconds * 1000))
      events.retired(threadId, attributesOf(whose))
      announceRevocation(inScope('thread', threadId))
      return done
    },
    async list(given = {}) {
      const { cursor, limit, ...filter } = resolveOptions('credentials.list', given, LIST_RULES)
      return store.list(filter, cursor, limit, life)
    },
    stats: async () => ({ credentials: await store.count(life) }),
    ready: async () => store.ready?.(),
    async close() {
      stopHearing?.()
      await store.close?.()
    },
    onRevoked(listener) {
      if (listeners.size === 0) stopHearing = store.onEnded?.(announceRevocation)
      listeners.add(listener)
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) stopHearing?.()
      }
    },
  }
}

/** What the argument of a revocation is called. */
const SCOPE_NAMES: Readonly<Record<RevocableScope, string>> = {
  thread: 'threadId',
  provider: 'providerInstanceId',
  session: 'providerSessionId',
  all: 'id',
}

const MALFORMED: Resolution = Object.freeze({ standing: 'malformed' })

function assertName(name: string, value: unknown): void {
  resolveOptions('credentials', { [name]: value }, { [name]: NAME.required() })
}
