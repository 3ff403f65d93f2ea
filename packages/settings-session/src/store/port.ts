import type { SettingsIdentity, SettingsUser } from '../principal.js'
import type { TokenRef } from '../tokens.js'

export type { TokenRef } from '../tokens.js'

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/** What the page about a link shows beside its user. Texts of at most 100 characters. */
export interface LinkDisplay {
  /** The user's name, as they know it: shown as it is, in place of the masked id. */
  readonly account?: string | undefined
  /** What will be opened or connected. */
  readonly app?: string | undefined
  /** What for. */
  readonly purpose?: string | undefined
  /** The title of the chat, group or workspace that the link comes from. */
  readonly chat?: string | undefined
}

/** What a link carries on the server: JSON only. */
export interface LinkContent {
  readonly user: SettingsUser
  readonly agentId?: string | undefined
  readonly kind: string
  readonly metadata?: unknown
  /** What the page about the link shows. */
  readonly display?: LinkDisplay | undefined
  /** A path below `baseUrl` to return to when the session is open. */
  readonly returnTo?: string | undefined
}

/** A link to be stored. */
export interface NewLink {
  readonly ref: TokenRef
  readonly content: LinkContent
  readonly ttlMs: number
  /** How long the user's epoch must last: the link's lifetime and that of the longest session it may open. */
  readonly epochTtlMs: number
  /** Keyed hash of the digits that the chat shows. */
  readonly codeHash?: string | undefined
}

/** Why a link opens nothing. */
export type LinkRefusal = 'unknown' | 'expired' | 'spent' | 'revoked'

/** A refusal of a store. */
export interface StoreRefusal<R extends string> {
  readonly outcome: 'refused'
  readonly reason: R
  /** Of one that has expired or was idle: for how many milliseconds, by the store's clock. */
  readonly lateMs?: number | undefined
}

/** What a look at a link finds. */
export type PeekedLink =
  | { readonly outcome: 'open'; readonly content: LinkContent; readonly expiresAt: number; readonly needsCode: boolean }
  | StoreRefusal<LinkRefusal>

/** How long sessions last. */
export interface SessionLimits {
  /** Milliseconds that a session lasts unused. */
  readonly idleMs: number
  /** Milliseconds that a session lasts in all. */
  readonly absoluteMs: number
  /** Active sessions that a user may have; the oldest ends when there is one more. */
  readonly maxSessions: number
}

/** Whether a session opens anything. */
export type SessionState = 'active' | 'awaiting_identity'

/** The exchange of a link for a session. */
export interface Exchange {
  readonly link: TokenRef
  readonly session: TokenRef
  /** The browser's own. A repeat of one attempt gets the first one's session; another attempt gets nothing. */
  readonly attempt: string
  readonly state: SessionState
  readonly limits: SessionLimits
  readonly codeHash?: string | undefined
}

/** A session as the store knows it. Times are milliseconds since the epoch, by the store's clock. */
export interface StoredSession extends LinkContent {
  readonly id: string
  readonly state: SessionState
  readonly identity?: SettingsIdentity | undefined
  readonly claim?: HeldClaim | undefined
  readonly linkId?: string | undefined
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastSeenAt: number
  /** Milliseconds since the person was last verified. */
  readonly verifiedMsAgo: number
}

/** A session that another one ended: it was the oldest of too many, or its link was opened again before it was active. */
export interface EndedSession {
  readonly id: string
  readonly cause: 'max_sessions' | 'link_opened_again'
}

/** The result of an exchange. */
export type ExchangeResult =
  | {
      readonly outcome: 'opened'
      readonly session: StoredSession
      readonly isRepeat: boolean
      /** The sessions that this one ended. */
      readonly ended?: readonly EndedSession[] | undefined
    }
  | (StoreRefusal<LinkRefusal | 'wrong_code'> & {
      /** These digits were wrong once too often: the link is spent from now on. */
      readonly isVoided?: boolean | undefined
    })

/** Why a session is not honoured. */
export type SessionRefusal = 'unknown' | 'idle' | 'expired' | 'revoked'

/** What a read of a session finds. */
export type ReadResult = { readonly outcome: 'found'; readonly session: StoredSession } | StoreRefusal<SessionRefusal>

/** The result of an opening without a link. */
export type OpeningResult =
  | {
      readonly outcome: 'found'
      readonly session: StoredSession
      readonly isRepeat: boolean
      /** The sessions that this one ended. */
      readonly ended?: readonly EndedSession[] | undefined
    }
  | StoreRefusal<SessionRefusal>

/** A session without a link: opened by a platform's signed data. */
export interface NewSession {
  readonly ref: TokenRef
  readonly content: LinkContent
  readonly state: SessionState
  readonly limits: SessionLimits
}

/** A person proved an identity, for a session. */
export interface IdentityClaim {
  readonly session: TokenRef
  /**
   * The hash of the session's new secret: what was known before the sign-in opens nothing after it. It also names the
   * attempt, for what it binds: see {@link Binding}. The session's present hash repeats a claim whose record may be missing: the
   * age of the proof stays.
   */
  readonly newHash: string
  readonly identity: SettingsIdentity
  /** Whether user and identity may be bound to each other when neither is bound. */
  readonly mayEstablish: boolean
  /** The app itself allowed it, not a policy alone. A claim that is `taken` keeps it. */
  readonly isAllowed?: boolean | undefined
}

/** The result of an identity claim. */
export type ClaimResult =
  | {
      readonly outcome: 'activated'
      readonly session: StoredSession
      /** The binding was made now, or `confirmBinding` has not been called for it: it must be recorded. */
      readonly isFirst: boolean
      /** The sessions that this one ended. */
      readonly ended?: readonly EndedSession[] | undefined
    }
  /** The user has no identity yet, and `mayEstablish` is false. Nothing was changed. */
  | { readonly outcome: 'unbound'; readonly session: StoredSession }
  /** The user has no identity, and this one is another user's. The session has its new secret and ten minutes, for `freeIdentity` alone. */
  | { readonly outcome: 'taken'; readonly session: StoredSession }
  /** The user is bound to another identity; or an active session's identity is another user's. Session and link are gone. */
  | { readonly outcome: 'mismatch'; readonly session: StoredSession }
  /** Another user is claiming the identity at this moment. Nothing was changed. */
  | { readonly outcome: 'contended' }
  | StoreRefusal<SessionRefusal>

/** An identity that is bound to a user, and the attempt that bound it: an undoing takes back what that one bound alone. */
export interface Binding {
  readonly identity: SettingsIdentity
  /** The `newHash` of the claim, or what the caller of `rebind` chose. */
  readonly attempt: string
}

/** The result of a rebinding. */
export type RebindResult =
  | {
      readonly outcome: 'bound'
      /** What was bound before. */
      readonly former?: Binding | undefined
    }
  /** `taken`: the identity is another user's. `contended`: it may become so, or what should be replaced has changed. */
  | { readonly outcome: 'taken' | 'contended' }

/** A user from whom an identity was released. */
export interface FormerUser {
  /** The key of the user among all. */
  readonly key: string
  /** Who it is, where that is known. */
  readonly user?: SettingsUser | undefined
  /** The attempt that had bound the identity. */
  readonly attempt: string
  /** The id of the session that it was released for. */
  readonly session: string
}

/** The result of a release. */
export type FreeResult =
  | {
      readonly outcome: 'freed'
      readonly session: StoredSession
      /** From whom this session released the identity, now or before; nobody when it was free already. */
      readonly former?: FormerUser | undefined
    }
  | StoreRefusal<SessionRefusal>

/** A first claim, and what the app has decided about it; or the identity that was another user's, until it is claimed. */
export interface HeldClaim {
  readonly identity: SettingsIdentity
  readonly answer: 'pending' | 'allowed' | 'denied' | 'taken' | 'released'
  /** Of one that is `taken` or `released`: the app itself allowed it. */
  readonly isAllowed?: boolean | undefined
}

/** A sign-in that is under way at a provider. */
export interface SignIn {
  readonly ref: TokenRef
  /** The session that it is for. */
  readonly session: TokenRef
  /** The session is active already; the person signs in again. */
  readonly isAgain: boolean
  readonly returnTo?: string | undefined
  readonly ttlMs: number
}

/** What is known of a sign-in when it is taken. */
export type TakenSignIn = Pick<SignIn, 'session' | 'isAgain' | 'returnTo'>

/**
 * What a browser may open with a platform's signed data: the number of its session, which stays the same until that has
 * ended. `replayed`: nothing, the data is another browser's, or has opened too many.
 */
export type InitDataUse = number | 'replayed'

/** The part of a store that keeps links. */
export interface LinkStore {
  /** Stores a link. */
  issueLink(link: NewLink): Awaitable<{ readonly expiresAt: number }>
  /** Reads a link; changes nothing. */
  peekLink(ref: TokenRef): Awaitable<PeekedLink>
  /**
   * Opens a session with a link. The link is spent when the session is active; an awaiting session replaces the one that
   * held the link before.
   */
  exchange(exchange: Exchange): Awaitable<ExchangeResult>
  /** Spends a link that can be opened, and ends the session that holds it. False when it could not be opened any more. */
  voidLink(ref: TokenRef): Awaitable<boolean>
}

/** The part of a store that keeps sessions. */
export interface SessionStore {
  /** Opens a session without a link. A repeat with the same token gets the session, or why it is not honoured any more. */
  openSession(session: NewSession): Awaitable<OpeningResult>
  /** Reads a session and marks it as used: its idle time begins again. */
  read(ref: TokenRef): Awaitable<ReadResult>
  /**
   * Ends one session and spends its link; with a hash only when it is the session's. With `freesLink` its link can be opened
   * as before, if no other session has opened it since. Returns what it ended.
   */
  revoke(
    id: string,
    hash?: string,
    options?: { readonly freesLink?: boolean | undefined },
  ): Awaitable<StoredSession | undefined>
  /** Ends the user's sessions and voids the user's links, those under way included. Then no sign-in alone opens anything. */
  revokeAll(user: SettingsUser): Awaitable<void>
  /** The user's active sessions, oldest first. */
  list(user: SettingsUser): Awaitable<readonly StoredSession[]>
}

/** The part of a store that keeps identities. */
export interface IdentityStore {
  /**
   * Settles who the session's user is and makes the session active, in one step: a first claim binds user and identity, a
   * later one verifies. Both directions hold: a user has one identity, and an identity one user of a platform and team.
   */
  claimIdentity(claim: IdentityClaim): Awaitable<ClaimResult>
  /**
   * The binding of user and identity is recorded: from now on it is that attempt's, and a claim is not the first. Changes
   * nothing where another identity is bound.
   */
  confirmBinding(user: SettingsUser, binding: Binding): Awaitable<void>
  /** Keeps a first claim, in place of an earlier one, until the app decides; `key` names its identity. */
  holdClaim(session: TokenRef, identity: SettingsIdentity, key: string): Awaitable<ReadResult>
  /**
   * The app's decision on a held claim, by the session's id and the identity's `key` (of `holdClaim`). False when no claim
   * waits, or the one that waits is of another identity.
   */
  answerClaim(sessionId: string, key: string, isAllowed: boolean): Awaitable<boolean>
  /** The identity that is bound to a user. */
  identityOf(user: SettingsUser): Awaitable<SettingsIdentity | undefined>
  /** The users to whom it is bound, whose sessions have not all been revoked since: a sign-in alone opens theirs. */
  returningUsers(identity: SettingsIdentity): Awaitable<readonly SettingsUser[]>
  /** Unbinds user and identity and ends the user's sessions; with an attempt only while what it bound stands. Returns the identity. */
  unlink(user: SettingsUser, attempt?: string): Awaitable<SettingsIdentity | undefined>
  /**
   * Binds a user to another identity and ends the user's sessions, unless the identity is another user's; with `replaced`
   * only while what that attempt bound stands.
   */
  rebind(user: SettingsUser, binding: Binding, replaced?: string): Awaitable<RebindResult>
  /**
   * Releases the identity of a session's `taken` claim from the other user who had it then, and ends that user's sessions, while
   * the session's user has none. A repeat tells of the same user, unless that was undone: nobody may know what came of the first,
   * or have recorded it. From then on the session may claim this identity, and no other.
   */
  freeIdentity(session: TokenRef): Awaitable<FreeResult>
  /**
   * Binds an identity again to whom it was released from, unless one of the two is bound by now; not for a return by a sign-in
   * alone. The release is forgotten then. `user` is who it was released for. False when nothing was bound.
   */
  restoreIdentity(user: SettingsUser, identity: SettingsIdentity, former: FormerUser): Awaitable<boolean>
  /** Keeps a sign-in until it is taken. */
  beginOAuth(signIn: SignIn): Awaitable<void>
  /** Takes a sign-in, once. */
  takeOAuth(ref: TokenRef): Awaitable<TakenSignIn | undefined>
  /**
   * Notes the use of a platform's signed data by a browser; of another browser, and of the 101st session, it says
   * `replayed`. `ended` is the number of a session that is not honoured any more: there is a new one then.
   */
  useInitData(hash: string, device: string, ttlMs: number, ended?: number): Awaitable<InitDataUse>
}

/** The part of a store that counts. */
export interface AttemptStore {
  /**
   * Counts one attempt at what is named, at most `most` in a window that begins with the first one. Returns the
   * milliseconds until the window ends when there were as many before, and counts nothing then; else 0.
   */
  countAttempt(name: string, most: number, windowMs: number): Awaitable<number>
}

/**
 * Where links, sessions and identities live. The methods are operations of the domain, each atomic, because get and set
 * would invite races. A client that sends a command again, because the answer to it was lost, must not change the answer: a
 * repeat of one call's command gets what the first one got. Every method throws or rejects with an `UnavailableError` (`session_store`) when it cannot know;
 * "not found" is an answer. Durations are milliseconds.
 */
export interface SettingsStore extends LinkStore, SessionStore, IdentityStore, AttemptStore {}
