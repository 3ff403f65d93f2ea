export type MaybePromise<T> = T | Promise<T>

/** How long credentials live. Milliseconds. */
export interface CredentialLife {
  readonly idleTimeoutMs: number
  /** A deadline is written when it moves by this much or more; idleness is noticed late by at most this. */
  readonly coalesceMs: number
  readonly maximumLifetimeMs: number
  /** From the issue on; undefined when sliding has no end. */
  readonly absoluteLifetimeMs: number | undefined
  /** How long what is dead stays known, for the reason that a refusal gives, and to be revived when idle. */
  readonly retentionMs: number
  /** Whether an idle one may come back, because the host is asked. */
  readonly revivesIdle: boolean
  readonly slidesOnUse: boolean
  readonly slidesOnTouch: boolean
}

/** What is known of a credential. Times are ms since the epoch, by the store's clock. Holds no secret. */
export interface CredentialRecord {
  readonly credentialId: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
  /** When it will be refused as idle if nothing happens. */
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
}

/** What becomes of the credentials that a thread already has for a provider. */
export type OnExisting = 'supersede' | 'keep' | 'carry'

export interface NewCredential {
  readonly id: string
  /** SHA-256 of the secret, 32 bytes. */
  readonly digest: Buffer
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly onExisting: OnExisting
  /** How long those that are superseded stay usable. */
  readonly overlapMs: number
}

export type IssueOutcome =
  | {
      readonly outcome: 'issued'
      readonly credential: CredentialRecord
      /** The ids whose place the new one took. */
      readonly superseded: readonly string[]
      /** The ids whose tokens are aliases of the new one from now on. */
      readonly carried: readonly string[]
    }
  | { readonly outcome: 'retired' }
  | { readonly outcome: 'full'; readonly limit: 'maxCredentials' | 'maxPerThread' }

/** What an epoch stands for. `all` is every partition. */
export type RevocableScope = 'thread' | 'provider' | 'session' | 'all'

export interface ListFilter {
  readonly threadId?: string
  readonly providerInstanceId?: string
}

export interface ListPage {
  readonly credentials: readonly (CredentialRecord & { readonly standing: Standing })[]
  /** Give it back for the next page; undefined after the last. */
  readonly cursor: string | undefined
}

/**
 * Where credentials are kept. Each method is atomic, and throws or rejects with a `UnavailableError` when the
 * store cannot be asked. One that answers without a promise decides in the same tick.
 */
export interface McpCredentialStore {
  issue(credential: NewCredential, life: CredentialLife): MaybePromise<IssueOutcome>
  /** Looks up, compares in constant time, and slides a live and proven one. Undefined when there is none. */
  resolve(id: string, digest: Buffer, life: CredentialLife): MaybePromise<FoundCredential | undefined>
  /** Slides a proven one although it is idle. */
  revive(id: string, digest: Buffer, life: CredentialLife): MaybePromise<FoundCredential | undefined>
  /** Looks up without a secret and without sliding. `isProven` is false. */
  peek(id: string, life: CredentialLife): MaybePromise<FoundCredential | undefined>
  /** Notes that a thread is alive. False when it has no credentials. */
  touch(threadId: string, life: CredentialLife): MaybePromise<boolean>
  /** Ends one credential, or one alias. False when it was not there or was ended before. */
  revoke(id: string, life: CredentialLife): MaybePromise<boolean>
  /** Ends an epoch, and with it every credential that carries it. False when there was none. */
  revokeScope(scope: RevocableScope, id: string): MaybePromise<boolean>
  /** Ends a thread's epoch, and lets nothing be issued for it for `blockMs`. */
  retire(threadId: string, blockMs: number): MaybePromise<boolean>
  list(filter: ListFilter, cursor: string | undefined, limit: number, life: CredentialLife): MaybePromise<ListPage>
  /** How many credentials are held that were not ended; the idle and expired ones that are still known included. */
  count(life: CredentialLife): MaybePromise<number>
  /** Settles when the store can be used; rejects when it must not be. */
  ready?(): Promise<void>
  /** Writes everything but secrets to a file, mode 0600, in one step. */
  snapshot?(file: string, life: CredentialLife): Promise<number>
  /** Reads back what `snapshot` wrote, without what was revoked since. */
  restore?(file: string, life: CredentialLife): Promise<number>
  close?(): MaybePromise<void>
}
