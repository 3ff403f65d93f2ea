import { randomBytes } from 'node:crypto'
import type { Clock } from '@countersign/core'
import type { BoundedTtlMap } from '@countersign/core/gate-kit'
import type { SettingsIdentity, SettingsUser } from '../../principal.js'
import { userKey } from '../keys.js'
import type {
  EndedSession,
  HeldClaim,
  LinkContent,
  NewSession,
  SessionLimits,
  SessionRefusal,
  SessionState,
  StoredSession,
  StoreRefusal,
} from '../port.js'
import { MAX_WRONG_CODES, TOMBSTONE_MS } from '../rules.js'

/** A link in memory. Times are milliseconds since the epoch. */
export interface LinkRow {
  readonly hash: string
  readonly content: LinkContent
  readonly userKey: string
  readonly epoch: string
  readonly expiresAt: number
  readonly codeHash: string | undefined
  wrongCodes: number
  spentAt: number | undefined
  attempt: string | undefined
  /** The session that holds the link, or opened with it. */
  holder: string | undefined
}

/** A session in memory. Times are milliseconds since the epoch. */
export interface SessionRow {
  readonly id: string
  hash: string
  readonly content: LinkContent
  readonly userKey: string
  readonly epoch: string
  state: SessionState | 'ended'
  readonly limits: SessionLimits
  readonly linkId: string | undefined
  identity: SettingsIdentity | undefined
  claim: HeldClaim | undefined
  /** Names the identity of `claim`. */
  claimKey: string | undefined
  readonly createdAt: number
  readonly expiresAt: number
  lastSeenAt: number
  verifiedAt: number
}

/** All that the memory store holds. */
export interface MemoryState {
  readonly clock: Clock
  readonly links: BoundedTtlMap<string, LinkRow>
  readonly sessions: BoundedTtlMap<string, SessionRow>
  /** A random value for each user: a session whose copy differs from it is revoked. */
  readonly epochs: BoundedTtlMap<string, string>
  /** The active sessions of each user, oldest first. */
  readonly index: BoundedTtlMap<string, Set<string>>
  /** @throws {UnavailableError} when a map is full of live entries: nothing live is ever evicted. */
  assertRoom(map: { sweep(): void; readonly size: number }): void
}

/** The user's epoch, made when there is none, lasting at least `ttlMs` from now. */
export function epochOf(state: MemoryState, key: string, ttlMs: number): string {
  const until = state.clock.now() + ttlMs
  const current = state.epochs.get(key)
  if (current === undefined) {
    state.assertRoom(state.epochs)
    const epoch = randomBytes(12).toString('base64url')
    state.epochs.set(key, epoch, until)
    return epoch
  }
  if ((state.epochs.expiresAt(key) ?? 0) < until) state.epochs.extend(key, until)
  return current
}

/** Why a session is not honoured. */
export function refusalOf(state: MemoryState, row: SessionRow | undefined, hash: string): SessionRefusal | undefined {
  const now = state.clock.now()
  if (row === undefined || row.hash !== hash) return 'unknown'
  if (row.state === 'ended') return 'revoked'
  if (now >= row.expiresAt) return 'expired'
  if (now >= row.lastSeenAt + row.limits.idleMs) return 'idle'
  return state.epochs.get(row.userKey) === row.epoch ? undefined : 'revoked'
}

/** The refusal of a session; of none, it is `unknown`. */
export function refused<R extends SessionRefusal>(
  { clock }: MemoryState,
  row: SessionRow | undefined,
  reason: R,
): StoreRefusal<R> {
  const now = clock.now()
  if (reason === 'expired') return { outcome: 'refused', reason, lateMs: now - (row?.expiresAt ?? now) }
  if (reason !== 'idle' || row === undefined) return { outcome: 'refused', reason }
  return { outcome: 'refused', reason, lateMs: now - row.lastSeenAt - row.limits.idleMs }
}

/** A session in the form of the port. */
export function viewOf(row: SessionRow, now: number): StoredSession {
  const { user, agentId, kind, metadata, returnTo } = row.content
  return {
    user,
    agentId,
    kind,
    metadata,
    returnTo,
    id: row.id,
    state: row.state === 'ended' ? 'active' : row.state,
    identity: row.identity,
    claim: row.claim,
    linkId: row.linkId,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    lastSeenAt: row.lastSeenAt,
    verifiedMsAgo: now - row.verifiedAt,
  }
}

/** Makes a session; an active one counts towards the user's maximum, and may end others. */
export function createSession(
  state: MemoryState,
  session: NewSession,
  linkId?: string,
): { readonly row: SessionRow; readonly ended: readonly EndedSession[] } {
  const { ref, content, limits } = session
  const key = userKey(content.user)
  const epoch = epochOf(state, key, limits.absoluteMs)
  const now = state.clock.now()
  const row: SessionRow = {
    id: ref.tag,
    hash: ref.hash,
    content,
    userKey: key,
    epoch,
    state: session.state,
    limits,
    linkId,
    identity: undefined,
    claim: undefined,
    claimKey: undefined,
    createdAt: now,
    expiresAt: now + limits.absoluteMs,
    lastSeenAt: now,
    verifiedAt: now,
  }
  state.assertRoom(state.sessions)
  state.sessions.set(row.id, row, row.expiresAt + TOMBSTONE_MS)
  return { row, ended: row.state === 'active' ? indexSession(state, row) : [] }
}

/** Counts an active session; beyond the maximum, the oldest ends. Returns what ended. */
export function indexSession(state: MemoryState, row: SessionRow): readonly EndedSession[] {
  const ids = state.index.get(row.userKey) ?? new Set()
  for (const id of ids) {
    const other = state.sessions.get(id)
    if (refusalOf(state, other, other?.hash ?? '') !== undefined) ids.delete(id)
  }
  ids.add(row.id)
  state.index.set(row.userKey, ids, row.expiresAt + TOMBSTONE_MS)
  const ended: EndedSession[] = []
  for (const id of ids) {
    if (ids.size <= row.limits.maxSessions) break
    const oldest = state.sessions.get(id)
    if (oldest !== undefined) oldest.state = 'ended'
    ids.delete(id)
    ended.push({ id, cause: 'max_sessions' })
  }
  return ended
}

/** Ends all sessions of a user and voids the user's links. */
export function endAll({ epochs, index }: MemoryState, user: SettingsUser): void {
  epochs.delete(userKey(user))
  index.delete(userKey(user))
}

/** Spends the link that a session holds, or was opened with. */
export function spendLink({ links, clock }: MemoryState, { linkId }: SessionRow): void {
  const link = linkId === undefined ? undefined : links.get(linkId)
  if (link !== undefined) link.spentAt = clock.now()
}

/** Lets the link of a session be opened again, unless another session has opened it since. */
export function freeLink({ links }: MemoryState, { id, linkId }: SessionRow): void {
  const link = linkId === undefined ? undefined : links.get(linkId)
  // One that wrong codes have voided stays so.
  if (link?.holder !== id || link.wrongCodes >= MAX_WRONG_CODES) return
  link.spentAt = undefined
  link.attempt = undefined
  link.holder = undefined
}

/** Ends a session. */
export function endSession(state: MemoryState, row: SessionRow): void {
  row.state = 'ended'
  const ids = state.index.get(row.userKey)
  ids?.delete(row.id)
  if (ids?.size === 0) state.index.delete(row.userKey)
}
