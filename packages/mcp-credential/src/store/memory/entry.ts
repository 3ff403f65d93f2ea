import type { CredentialLife, CredentialRecord, Standing } from '../port.js'

/** A provider, a provider session, or everything. Its identity is its epoch: a revocation replaces the object. */
export interface Scope {
  isRevoked: boolean
  /** Entries that refer to it: it is dropped with the last one. */
  entries: number
}

/** An unbroken time in which the host kept a thread alive. */
export interface Aliveness {
  /** When it began, in running time and on the clock. */
  readonly fromRunning: number
  readonly from: number
  /** Running time until which it counts. */
  until: number
  /** The last touch, on the clock. */
  touchedAt: number
}

/** A thread and its credentials. */
export interface Thread {
  readonly id: string
  isRevoked: boolean
  alive: Aliveness | undefined
  /** Its credentials, oldest first; revoked ones leave immediately, idle ones when they are dropped. */
  entries: Entry[]
}

/** One credential. `idle` is running time, `issuedAt` the wall clock's; the others are the store's own count. */
export interface Entry {
  readonly id: string
  /** The digest as 32 one-byte characters: a third of what a Buffer takes. */
  readonly digest: string
  readonly thread: Thread
  readonly provider: Scope
  readonly providerId: string
  readonly session: Scope | undefined
  readonly sessionId: string | undefined
  readonly root: Scope
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  /** Undefined when sliding has no end. */
  readonly absolute: number | undefined
  expires: number
  idle: number
  /** Set when a newer one took its place. */
  usableUntil: number | undefined
  /** Set on an alias: the credential that its token stands for. */
  holder: Entry | undefined
  isRevoked: boolean
  isDropped: boolean
}

/** An entry in a snapshot. Times are milliseconds since the epoch, or what was left of running time. */
export interface StoredEntry {
  readonly id: string
  /** base64 */
  readonly digest: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId?: string | undefined
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly expires: number
  readonly absolute?: number | undefined
  /** Below zero for one that is idle. */
  readonly idleLeftMs: number
  readonly usableUntil?: number | undefined
  /** The id that an alias stands for. */
  readonly holder?: string | undefined
}

/** The times of one moment: of the store's own count, which deadlines are in, and the wall clock's. */
export interface Moment {
  readonly now: number
  readonly running: number
  readonly wall: number
}

/** What is added to a deadline of the store's own count when it is told or stored, and taken off when it is read back. */
export function wallOffset({ now, wall }: Pick<Moment, 'now' | 'wall'>): number {
  return wall - now
}

function isLifted({ thread: { alive }, idle, expires }: Entry, life: CredentialLife): boolean {
  // A touch extends a life that had not ended when the aliveness began; it revives nothing.
  return life.slidesOnTouch && alive !== undefined && alive.fromRunning <= idle && alive.from <= expires
}

/** The running time until which an entry is not idle. */
export function idleDeadline(entry: Entry, life: CredentialLife): number {
  return isLifted(entry, life) ? Math.max(entry.idle, entry.thread.alive?.until ?? 0) : entry.idle
}

/** The moment until which an entry is not expired. */
export function expiryDeadline(entry: Entry, life: CredentialLife): number {
  if (!isLifted(entry, life)) return entry.expires
  return Math.max(entry.expires, cappedExpiry(entry, entry.thread.alive?.touchedAt ?? 0, life))
}

/** Notes a touch of a thread. Written when it moves the end by `coalesceMs` or more. */
export function extendAliveness(thread: Thread, { now, running }: Moment, life: CredentialLife): void {
  const { alive } = thread
  const until = running + life.idleTimeoutMs + life.coalesceMs
  const isUnbroken = alive !== undefined && running <= alive.until && now <= alive.touchedAt + life.maximumLifetimeMs
  if (!isUnbroken) {
    for (const entry of thread.entries) keepLifted(entry, life)
    thread.alive = { fromRunning: running, from: now, until, touchedAt: now }
  } else if (until - alive.until >= life.coalesceMs) {
    alive.until = until
    alive.touchedAt = now
  }
}

/** Writes down how long its thread's aliveness keeps an entry, before the two part: it says how long the entry is known. */
export function keepLifted(entry: Entry, life: CredentialLife): void {
  const [idle, expires] = [idleDeadline(entry, life), expiryDeadline(entry, life)]
  entry.idle = idle
  entry.expires = expires
}

/** Moves the deadlines of an entry after a use, never backward. Written when one moves by `coalesceMs` or more. */
export function slide(entry: Entry, { now, running }: Moment, life: CredentialLife): void {
  const idle = Math.max(idleDeadline(entry, life), running + life.idleTimeoutMs + life.coalesceMs)
  const expires = Math.max(entry.expires, cappedExpiry(entry, now, life))
  if (idle - entry.idle < life.coalesceMs && expires - entry.expires < life.coalesceMs) return
  entry.idle = idle
  entry.expires = expires
}

/** The expiry after a sign of life at `from`. */
export function cappedExpiry({ absolute }: Pick<Entry, 'absolute'>, from: number, life: CredentialLife): number {
  const expires = from + life.maximumLifetimeMs
  return absolute === undefined ? expires : Math.min(expires, absolute)
}

/** The standing of a credential; an alias has none of its own. */
export function standingOf(entry: Entry, { now, running }: Moment, life: CredentialLife): Standing {
  const { thread, provider, session, root } = entry
  if (entry.isRevoked || thread.isRevoked || provider.isRevoked || session?.isRevoked || root.isRevoked) {
    return 'revoked'
  }
  if (entry.usableUntil !== undefined && now > entry.usableUntil) return 'superseded'
  if (now > expiryDeadline(entry, life)) return 'expired'
  return running > idleDeadline(entry, life) ? 'idle' : 'live'
}

/** The standing of an entry's token: its holder's, unless the alias itself is revoked. */
export function tokenStanding(entry: Entry, at: Moment, life: CredentialLife): Standing {
  return entry.isRevoked ? 'revoked' : standingOf(entry.holder ?? entry, at, life)
}

/** Of one that is expired or idle: for how many milliseconds. */
export function latenessOf(
  entry: Entry,
  { now, running }: Moment,
  standing: Standing,
  life: CredentialLife,
): number | undefined {
  if (standing === 'expired') return now - expiryDeadline(entry, life)
  return standing === 'idle' ? running - idleDeadline(entry, life) : undefined
}

/** An entry as callers see it. */
export function recordOf(entry: Entry, at: Moment, life: CredentialLife): CredentialRecord {
  return {
    credentialId: entry.id,
    threadId: entry.thread.id,
    providerInstanceId: entry.providerId,
    providerSessionId: entry.sessionId,
    capabilities: entry.capabilities,
    issuedAt: entry.issuedAt,
    expiresAt: expiryDeadline(entry, life) + wallOffset(at),
    idleAt: Math.floor(at.wall + idleDeadline(entry, life) - at.running),
  }
}

/** Whether an entry is usable, or idle and can be revived. */
export function isWanted(entry: Entry, at: Moment, life: CredentialLife): boolean {
  const standing = tokenStanding(entry, at, life)
  return standing === 'live' || (standing === 'idle' && life.revivesIdle)
}

/** Whether a credential is neither revoked nor superseded; it may be idle or expired. */
export function isCurrent(standing: Standing): boolean {
  return standing !== 'revoked' && standing !== 'superseded'
}

/** Removes an entry from its thread. */
export function leave(entry: Entry): void {
  const { thread } = entry
  const index = thread.entries.indexOf(entry)
  if (index !== -1) thread.entries.splice(index, 1)
}
