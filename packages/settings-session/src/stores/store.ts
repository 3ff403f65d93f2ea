import type { SettingsIdentity, SettingsUser } from '../principal.js'
import type { TokenRef } from '../tokens.js'

export type Awaitable<T> = T | Promise<T>

/** What a link carries on the server: JSON only. */
export interface LinkContent {
  readonly user: SettingsUser
  readonly agentId?: string
  readonly kind: string
  readonly metadata?: unknown
  /** A path below `baseUrl` to go to when the session is open. */
  readonly returnTo?: string
}

export interface NewLink {
  readonly ref: TokenRef
  readonly content: LinkContent
  readonly ttlMs: number
  /** How long the user's epoch must last: the link's life and that of the longest session it may open. */
  readonly epochTtlMs: number
  /** Keyed hash of the digits that the chat shows. */
  readonly codeHash?: string
}

export type LinkRefusal = 'unknown' | 'expired' | 'spent' | 'revoked'

export type PeekedLink =
  | { readonly outcome: 'open'; readonly content: LinkContent; readonly expiresAt: number; readonly needsCode: boolean }
  | { readonly outcome: 'refused'; readonly reason: LinkRefusal }

/** How long sessions last. */
export interface SessionLimits {
  readonly idleMs: number
  readonly absoluteMs: number
  /** Active sessions that a user may have; the oldest ends when there is one more. */
  readonly maxSessions: number
}

export type SessionState = 'active' | 'awaiting_identity'

export interface Exchange {
  readonly link: TokenRef
  readonly session: TokenRef
  /** The browser's own: a repeat of one attempt gets the first one's session, another attempt gets nothing. */
  readonly attempt: string
  readonly state: SessionState
  readonly limits: SessionLimits
  readonly codeHash?: string
}

/** A session as the store knows it. Times in ms since the epoch, on the store's clock. */
export interface StoredSession extends LinkContent {
  readonly id: string
  readonly state: SessionState
  readonly identity?: SettingsIdentity
  readonly claim?: HeldClaim
  readonly linkId?: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastSeenAt: number
  /** Milliseconds since the person was last verified. */
  readonly verifiedMsAgo: number
}

export type ExchangeResult =
  | { readonly outcome: 'opened'; readonly session: StoredSession; readonly isRepeat: boolean }
  | { readonly outcome: 'refused'; readonly reason: LinkRefusal | 'wrong_code' }

export type SessionRefusal = 'unknown' | 'idle' | 'expired' | 'revoked'

export type ReadResult =
  | { readonly outcome: 'found'; readonly session: StoredSession }
  | { readonly outcome: 'refused'; readonly reason: SessionRefusal }

/** A session without a link: opened by a platform's signed data. */
export interface NewSession {
  readonly ref: TokenRef
  readonly content: LinkContent
  readonly state: SessionState
  readonly limits: SessionLimits
}

export interface IdentityClaim {
  readonly session: TokenRef
  /** The hash of the session's new secret: what was known before the sign-in opens nothing after it. */
  readonly newHash: string
  readonly identity: SettingsIdentity
  /** Whether user and identity may be bound to each other when neither is bound. */
  readonly mayEstablish: boolean
}

export type ClaimResult =
  | { readonly outcome: 'activated'; readonly session: StoredSession; readonly isFirst: boolean }
  /** The user has no identity yet, and `mayEstablish` is false. Nothing was changed. */
  | { readonly outcome: 'unbound'; readonly session: StoredSession }
  /** The user is bound to another identity, or the identity to another user. The session is gone, its link spent. */
  | { readonly outcome: 'mismatch'; readonly session: StoredSession }
  /** Another user is claiming the identity at this moment. Nothing was changed. */
  | { readonly outcome: 'contended' }
  | { readonly outcome: 'refused'; readonly reason: SessionRefusal }

/** A first claim that the app has not decided on, or has. */
export interface HeldClaim {
  readonly identity: SettingsIdentity
  readonly answer: 'pending' | 'allowed' | 'denied'
}

/** A sign-in at a provider under way: which session it is for. */
export interface SignIn {
  readonly ref: TokenRef
  readonly session: TokenRef
  /** The session is active already; the person signs in again. */
  readonly isAgain: boolean
  readonly returnTo?: string
  readonly ttlMs: number
}

export type TakenSignIn = Pick<SignIn, 'session' | 'isAgain' | 'returnTo'>

export type InitDataUse = 'fresh' | 'same_device' | 'replayed'

/**
 * Where links, sessions and identities live: operations of the domain, each atomic, since get and set would invite
 * races. Every method throws or rejects with a `UnavailableError` when it cannot know; "not found" is an answer.
 */
export interface SettingsStore {
  issueLink(link: NewLink): Awaitable<{ readonly expiresAt: number }>
  /** Reads a link; changes nothing. */
  peekLink(ref: TokenRef): Awaitable<PeekedLink>
  /**
   * Opens a session with a link. The link is spent when the session is active; an awaiting session takes the place of
   * the one that held the link before.
   */
  exchange(exchange: Exchange): Awaitable<ExchangeResult>
  openSession(session: NewSession): Awaitable<ReadResult>
  /** Reads a session and, at most once in a fifth of the idle time, marks it as used. */
  read(ref: TokenRef): Awaitable<ReadResult>
  /** Ends one session and spends its link; with a hash only when it is the session's. Resolves what it ended. */
  revoke(id: string, hash?: string): Awaitable<StoredSession | undefined>
  /** Ends all sessions of a user and voids the links, at once, those under way included. */
  revokeAll(user: SettingsUser): Awaitable<void>
  /** The user's active sessions, oldest first. */
  list(user: SettingsUser): Awaitable<readonly StoredSession[]>

  /**
   * Settles who the session's user is, and makes the session active, in one step: a first claim binds user and
   * identity, a later one verifies. Both directions hold: a user has one identity, and an identity one user of a
   * platform and team.
   */
  claimIdentity(claim: IdentityClaim): Awaitable<ClaimResult>
  /** Keeps a first claim, in place of one before, until the app decides; `key` names its identity. */
  holdClaim(session: TokenRef, identity: SettingsIdentity, key: string): Awaitable<ReadResult>
  /**
   * The app's decision on a held claim, by the session's id and the identity's `key` (`holdClaim`'s). False when there
   * is none that waits, or it is another identity's by now.
   */
  answerClaim(sessionId: string, key: string, isAllowed: boolean): Awaitable<boolean>
  identityOf(user: SettingsUser): Awaitable<SettingsIdentity | undefined>
  /** Parts user and identity and ends the user's sessions. Resolves the identity that was bound. */
  unlink(user: SettingsUser): Awaitable<SettingsIdentity | undefined>
  /** Binds a user to another identity and ends the user's sessions, unless the identity is another user's. */
  rebind(user: SettingsUser, identity: SettingsIdentity): Awaitable<'bound' | 'taken' | 'contended'>
  beginOAuth(signIn: SignIn): Awaitable<void>
  /** Takes a sign-in, once. */
  takeOAuth(ref: TokenRef): Awaitable<TakenSignIn | undefined>
  /** Notes the use of a platform's signed data by a browser. */
  useInitData(hash: string, device: string, ttlMs: number): Awaitable<InitDataUse>
}

/** The part of a store that keeps identities. */
export type IdentityStore = Pick<
  SettingsStore,
  | 'claimIdentity'
  | 'holdClaim'
  | 'answerClaim'
  | 'identityOf'
  | 'unlink'
  | 'rebind'
  | 'beginOAuth'
  | 'takeOAuth'
  | 'useInitData'
>
