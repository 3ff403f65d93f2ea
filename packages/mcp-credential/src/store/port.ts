/** A value, or a promise of one: a store in memory answers in the same tick. */
export type MaybePromise<T> = T | Promise<T>

/** How long credentials live. Milliseconds. */
export interface CredentialLife {
  readonly idleTimeoutMs: number
  /** A deadline is written when it moves by this much or more; idleness is noticed late by at most this. */
  readonly coalesceMs: number
  readonly maximumLifetimeMs: number
  /** From the issue on; undefined when sliding has no end. */
  readonly absoluteLifetimeMs: number | undefined
  /** How long a dead credential stays known: for the reason in a refusal, and to be revived when idle. */
  readonly retentionMs: number
  /** Whether an idle one may be revived, because the host is asked. */
  readonly revivesIdle: boolean
  readonly slidesOnUse: boolean
  readonly slidesOnTouch: boolean
}

/** What is known of a credential. Times are milliseconds since the epoch, by the store's clock. Holds no secret. */
export interface CredentialRecord {
  readonly credentialId: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
  /** When it is refused as idle, unless it is used or touched before. */
  readonly idleAt: number
}

/** Why a credential is or is not usable, in the order in which they are checked, last to first. */
export type Standing = 'live' | 'idle' | 'expired' | 'superseded' | 'revoked'

/** What a store found under an id. */
export interface FoundCredential {
  readonly standing: Standing
  /** Whether the secret that was presented is the credential's. */
  readonly isProven: boolean
  readonly credential: CredentialRecord
  /** Of one that is expired or idle: for how many milliseconds, by the store's clock. */
  readonly lateMs?: number | undefined
}

/**
 * What a store says of a secret that is not the credential's, and no more: whatever else it did would take longer than to find
 * nothing under an id, and tell a stranger which ids there are.
 */
export interface WrongSecret {
  readonly isProven: false
}

/** What becomes of the credentials that a thread already has for a provider. */
export type OnExisting = 'supersede' | 'keep' | 'carry'

/** A credential to be issued. */
export interface NewCredential {
  readonly id: string
  /** SHA-256 of prefix, namespace and secret, 32 bytes. */
  readonly digest: Buffer
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly onExisting: OnExisting
  /** Milliseconds that superseded credentials stay usable. */
  readonly overlapMs: number
}

/** What an issue did to the credentials that there were. */
export interface Replaced {
  /** The ids that the new one superseded. */
  readonly superseded: readonly string[]
  /** The ids whose tokens are aliases of the new one from now on. */
  readonly carried: readonly string[]
}

/** Records a credential that was written. Throws or rejects when it was not recorded. */
export type AcceptIssue = (credential: CredentialRecord) => MaybePromise<void>

/** What a store did with a {@link NewCredential}. */
export type IssueOutcome =
  | {
      readonly outcome: 'issued'
      readonly credential: CredentialRecord
      /** The ids that the new one superseded. */
      readonly superseded: readonly string[]
      /** The ids whose tokens are aliases of the new one from now on. */
      readonly carried: readonly string[]
      /** Set when what became of the others is not known yet; it is tried until it is. Both lists are empty then. */
      readonly pending?: Promise<Replaced> | undefined
    }
  | { readonly outcome: 'retired' }
  | { readonly outcome: 'full'; readonly limit: 'maxCredentials' | 'maxPerThread' }

/** What an epoch covers. `all` is every partition. */
export type RevocableScope = 'thread' | 'provider' | 'session' | 'all'

/** Which credentials a list shows. */
export interface ListFilter {
  readonly threadId?: string | undefined
  readonly providerInstanceId?: string | undefined
}

/** A page of a list. */
export interface ListPage {
  readonly credentials: readonly (CredentialRecord & { readonly standing: Standing })[]
  /** For the next page; undefined after the last one. */
  readonly cursor: string | undefined
}

/**
 * Where credentials are kept. Each method is atomic, and throws or rejects with an `UnavailableError` when the store
 * cannot be asked. A store may answer without a promise: then the gate decides in the same tick.
 */
export interface McpCredentialStore {
  /** What sets these credentials apart where they are kept: the registry binds it into every digest. Default: nothing. */
  readonly namespace?: string | undefined
  /** Whether it read credentials back that a process before this one issued. The registry reports it. */
  readonly isRestored?: boolean | undefined
  /**
   * Writes the credential, then calls `accept`, then supersedes or carries the others: they stay as they are when `accept`
   * throws or rejects, and so does the issue. `accept` revokes the new one before it fails; when the store refuses the issue
   * after `accept`, because others took the room meanwhile, the caller revokes it.
   */
  issue(credential: NewCredential, life: CredentialLife, accept?: AcceptIssue): MaybePromise<IssueOutcome>
  /** Looks up, compares in constant time, and slides a live and proven one. Undefined when there is none. */
  resolve(id: string, digest: Buffer, life: CredentialLife): MaybePromise<FoundCredential | WrongSecret | undefined>
  /** As `resolve`, but slides an idle one too. */
  revive(id: string, digest: Buffer, life: CredentialLife): MaybePromise<FoundCredential | WrongSecret | undefined>
  /** Looks up without a secret and without sliding. `isProven` is false. */
  peek(id: string, life: CredentialLife): MaybePromise<FoundCredential | undefined>
  /** Notes that a thread is alive. False when it has no credentials. */
  touch(threadId: string, life: CredentialLife): MaybePromise<boolean>
  /** Revokes one credential, or one alias. False when there is none, or it was revoked before. */
  revoke(id: string, life: CredentialLife): MaybePromise<boolean>
  /** Ends an epoch, and with it every credential that has a copy of it. False when there was none. */
  revokeScope(scope: RevocableScope, id: string): MaybePromise<boolean>
  /** Ends a thread's epoch, and refuses to issue for it during `blockMs`. */
  retire(threadId: string, blockMs: number): MaybePromise<boolean>
  list(filter: ListFilter, cursor: string | undefined, limit: number, life: CredentialLife): MaybePromise<ListPage>
  /** How many credentials are neither revoked nor superseded, the idle and expired ones that are still known included. */
  count(life: CredentialLife): MaybePromise<number>
  /** Settles when the store can be used; rejects when it must not be. */
  ready?(): Promise<void>
  /**
   * A secret of 32 bytes that is the same for all processes on this store: MCP sessions are bound with it. Left out, each
   * registry has one of its own.
   */
  sessionKey?(): MaybePromise<Buffer>
  /**
   * Calls back when a credential may have ended, also by another process, with a function that tells from an id whether it
   * may have. Calls may be lost. Returns the function that ends it.
   */
  onEnded?(listener: (mayHaveEnded: (credentialId: string) => boolean) => void): () => void
  close?(): MaybePromise<void>
}
