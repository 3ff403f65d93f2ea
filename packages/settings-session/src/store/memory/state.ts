import type { Clock } from '@countersign/core'
import { UnavailableError } from '@countersign/core'
import { BoundedTtlMap, type ExpiringRow, ExpiringRows } from '@countersign/core/gate-kit'
import type { SettingsIdentity, SettingsUser } from '../../principal.js'
import { userKey } from '../keys.js'
import type {
  Binding,
  EndedSession,
  FormerUser,
  HeldClaim,
  LinkContent,
  NewSession,
  SessionLimits,
  SessionRefusal,
  SessionState,
  SignIn,
  StoredSession,
  StoreRefusal,
} from '../port.js'
import { ENDED_MS, MAX_WRONG_CODES, RELEASE_MS, TOMBSTONE_MS } from '../rules.js'

// A row of each map is its own entry, rows refer to each other rather than by name, and what equal rows have in common they
// share: a million sessions are in memory. `key` is a copy of its own: a part of a text keeps the whole text alive, here a
// request's cookies. A time is milliseconds since the epoch; a row is forgotten at its `expiresAt`.

/** What the links and sessions of one user have in common. */
export interface UserRow extends ExpiringRow<string> {
  readonly user: SettingsUser
  /** Everything of this user was revoked: what refers to this row is void, and what comes later refers to another one. */
  isRevoked: boolean
  /** The active sessions, oldest first. */
  oldest: SessionRow | undefined
}

/** A link in memory. It is remembered for {@link TOMBSTONE_MS} after its end. */
export interface LinkRow extends ExpiringRow<string> {
  readonly hash: string
  readonly owner: UserRow
  readonly content: RowContent
  readonly codeHash: string | undefined
  wrongCodes: number
  spentAt: number | undefined
  attempt: string | undefined
  /** The session that holds the link, or opened with it. */
  holder: SessionRow | undefined
}

/** A session in memory. It is remembered for {@link TOMBSTONE_MS} after its end. */
export interface SessionRow extends ExpiringRow<string> {
  hash: string
  readonly owner: UserRow
  readonly content: RowContent
  readonly limits: SessionLimits
  readonly link: LinkRow | undefined
  state: SessionState | 'ended'
  proof: ProofRow | undefined
  /** Milliseconds after it was made. */
  seenMs: number
  verifiedMs: number
  /** The next younger one of the user's active sessions. */
  next: SessionRow | undefined
}

/** What a link carries beside its user. */
export type RowContent = Omit<LinkContent, 'user'>

/** Who a session's person has proved to be, or wants to be. */
export interface ProofRow {
  readonly identity?: SettingsIdentity | undefined
  readonly claim?: HeldClaim | undefined
  /** Names the identity of `claim`. */
  readonly claimKey?: string | undefined
  /** The key of the other user whose the identity of `claim` was. */
  readonly holder?: string | undefined
  /** From whom it was released. */
  readonly former?: FormerUser | undefined
}

/** An identity in memory, and whether its binding was confirmed. */
export type BindingRow = Binding & { readonly isRecorded?: boolean | undefined }

/** All that the memory store holds. */
export interface MemoryState {
  readonly clock: Clock
  readonly links: ExpiringRows<string, LinkRow>
  readonly sessions: ExpiringRows<string, SessionRow>
  readonly users: ExpiringRows<string, UserRow>
  /** By user. */
  readonly identities: Map<string, BindingRow>
  /** The user of each identity, among those of one platform and team. */
  readonly boundUsers: Map<string, string>
  /** The users of each identity; those who may not return by a sign-in alone are barred. */
  readonly usersOf: Map<string, Map<string, SettingsUser>>
  readonly barred: Set<string>
  readonly signIns: BoundedTtlMap<string, SignIn>
  readonly uses: BoundedTtlMap<string, { readonly device: string; session: number }>
  readonly counts: BoundedTtlMap<string, { count: number }>
  /** @throws {UnavailableError} when there are as many live rows as may be: nothing live is ever evicted. */
  assertRoom(rows: { readonly isFull: boolean }): void
}

/** The state of a store that holds nothing. */
export function emptyState(maxEntries: number, clock: Clock): MemoryState {
  return {
    clock,
    links: new ExpiringRows(maxEntries, clock),
    sessions: new ExpiringRows(maxEntries, clock),
    users: new ExpiringRows(maxEntries, clock),
    identities: new Map(),
    boundUsers: new Map(),
    usersOf: new Map(),
    barred: new Set(),
    signIns: new BoundedTtlMap({ maxEntries, clock }),
    uses: new BoundedTtlMap({ maxEntries, clock }),
    counts: new BoundedTtlMap({ maxEntries, clock }),
    assertRoom({ isFull }) {
      if (isFull) throw new UnavailableError('session_store', `the memory store holds ${maxEntries} entries`)
    },
  }
}

/** A copy of a text of ASCII that keeps no other text alive. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

const SHARED = new Map<string, RowContent>()

/** What a link carries; what says no more than a kind is one object for all. Kinds are the app's own, and few. */
export function rowContent({ user: _, ...content }: RowContent & Partial<LinkContent>): RowContent {
  const { kind, ...more } = content
  if (Object.values(more).some((value) => value !== undefined)) return content
  const known = SHARED.get(kind) ?? Object.freeze({ kind })
  if (SHARED.size < 100) SHARED.set(kind, known)
  return known
}

/** What the user's links and sessions refer to, made when there is none, lasting at least `ttlMs` from now. */
export function ownerOf(state: MemoryState, user: SettingsUser, ttlMs: number): UserRow {
  const expiresAt = state.clock.now() + ttlMs
  const key = userKey(user)
  const known = state.users.get(key)
  if (known !== undefined) {
    if (known.expiresAt < expiresAt) state.users.move(known, expiresAt)
    return known
  }
  state.assertRoom(state.users)
  const owner: UserRow = { key, expiresAt, place: 0, user, isRevoked: false, oldest: undefined }
  state.users.add(owner)
  return owner
}

/** When a session ends, however it is used. Not of one that was ended: that is forgotten sooner. */
const endOf = ({ expiresAt }: SessionRow): number => expiresAt - TOMBSTONE_MS

/** Milliseconds since a session was made. Not of one that was ended. */
export function ageOf({ clock }: MemoryState, row: SessionRow): number {
  return clock.now() - endOf(row) + row.limits.absoluteMs
}

/** Whether a session is good for a release alone. */
export const isReleasing = ({ proof }: SessionRow): boolean =>
  proof?.claim?.answer === 'taken' || proof?.claim?.answer === 'released'

/** Milliseconds that a session lasts, however it is used. */
function lifetimeOf(row: SessionRow): number {
  const { absoluteMs } = row.limits
  return isReleasing(row) ? Math.min(absoluteMs, row.verifiedMs + RELEASE_MS) : absoluteMs
}

/** Why a session is not honoured. */
export function refusalOf(state: MemoryState, row: SessionRow | undefined, hash: string): SessionRefusal | undefined {
  if (row === undefined || row.hash !== hash) return 'unknown'
  if (row.state === 'ended') return 'revoked'
  const age = ageOf(state, row)
  if (age >= lifetimeOf(row)) return 'expired'
  if (age >= row.seenMs + row.limits.idleMs) return 'idle'
  return row.owner.isRevoked ? 'revoked' : undefined
}

/** The refusal of a session; of none, it is `unknown`. */
export function refused<R extends SessionRefusal>(
  state: MemoryState,
  row: SessionRow | undefined,
  reason: R,
): StoreRefusal<R> {
  if (row === undefined || (reason !== 'expired' && reason !== 'idle')) return { outcome: 'refused', reason }
  const lastsMs = reason === 'expired' ? lifetimeOf(row) : row.seenMs + row.limits.idleMs
  return { outcome: 'refused', reason, lateMs: ageOf(state, row) - lastsMs }
}

/** A session in the form of the port. Not of one that was ended. */
export function viewOf(state: MemoryState, row: SessionRow): StoredSession {
  const { agentId, kind, metadata, display, returnTo } = row.content
  const createdAt = endOf(row) - row.limits.absoluteMs
  return {
    user: row.owner.user,
    agentId,
    kind,
    metadata,
    display,
    returnTo,
    id: row.key,
    state: row.state as SessionState,
    identity: row.proof?.identity,
    claim: row.proof?.claim,
    linkId: row.link?.key,
    createdAt,
    expiresAt: endOf(row),
    lastSeenAt: createdAt + row.seenMs,
    verifiedMsAgo: ageOf(state, row) - row.verifiedMs,
  }
}

/** What a session is made from. */
export type SessionSeed = Omit<NewSession, 'content'> & Pick<SessionRow, 'owner' | 'content' | 'link'>

/** Makes a session; an active one counts towards the user's maximum, and may end others. */
export function createSession(
  state: MemoryState,
  { ref, owner, content, link, limits, state: as }: SessionSeed,
): { readonly row: SessionRow; readonly ended: readonly EndedSession[] } {
  const now = state.clock.now()
  const row: SessionRow = {
    key: ownCopy(ref.tag),
    expiresAt: now + limits.absoluteMs + TOMBSTONE_MS,
    place: 0,
    hash: ref.hash,
    owner,
    content,
    limits,
    link,
    state: as,
    proof: undefined,
    seenMs: 0,
    verifiedMs: 0,
    next: undefined,
  }
  state.assertRoom(state.sessions)
  state.sessions.add(row)
  return { row, ended: as === 'active' ? enterSession(state, row) : [] }
}

/** The user's active sessions that live, oldest first. */
export function livingSessions(state: MemoryState, { oldest }: UserRow): readonly SessionRow[] {
  const rows: SessionRow[] = []
  for (let row = oldest; row !== undefined; row = row.next) {
    if (refusalOf(state, row, row.hash) === undefined) rows.push(row)
  }
  return rows
}

/** Links the user's active sessions, oldest first. */
export function keepSessions(owner: UserRow, rows: readonly SessionRow[]): void {
  owner.oldest = rows[0]
  for (const [index, row] of rows.entries()) row.next = rows[index + 1]
}

/** Counts an active session; beyond the maximum, the oldest ends. Returns what ended. */
export function enterSession(state: MemoryState, row: SessionRow): readonly EndedSession[] {
  const rows = livingSessions(state, row.owner).concat(row)
  const surplus = rows.slice(0, Math.max(0, rows.length - row.limits.maxSessions))
  for (const other of surplus) forgetSoon(state, other)
  keepSessions(row.owner, rows.slice(surplus.length))
  return surplus.map(({ key }) => ({ id: key, cause: 'max_sessions' }))
}

/** Ends all sessions of a user and voids the user's links. */
export function endAll({ users }: MemoryState, user: SettingsUser): void {
  const owner = users.peek(userKey(user))
  if (owner === undefined) return
  owner.isRevoked = true
  owner.oldest = undefined
  users.delete(owner)
}

/** Spends the link that a session holds, or was opened with. */
export function spendLink({ clock }: MemoryState, { link }: SessionRow): void {
  if (link !== undefined) link.spentAt = clock.now()
}

/** Lets the link of a session be opened again, unless another session has opened it since. */
export function freeLink(row: SessionRow): void {
  const { link } = row
  // One that wrong codes have voided stays so.
  if (link === undefined || link.holder !== row || link.wrongCodes >= MAX_WRONG_CODES) return
  link.spentAt = undefined
  link.attempt = undefined
  link.holder = undefined
}

/** Ends a session. */
export function endSession(state: MemoryState, row: SessionRow): void {
  forgetSoon(state, row)
  keepSessions(row.owner, livingSessions(state, row.owner))
}

/** An ended session leaves: it is remembered only as long as its browser may still ask why. */
function forgetSoon({ sessions, clock }: MemoryState, row: SessionRow): void {
  row.state = 'ended'
  sessions.move(row, Math.min(clock.now() + ENDED_MS, row.expiresAt))
}

/** Removes a session that opened nothing. */
export function dropSession({ sessions }: MemoryState, row: SessionRow): void {
  row.state = 'ended'
  sessions.delete(row)
}
