import type { CredentialLife, CredentialRecord, Standing } from '../port.js'

/** A provider, a provider session, or everything. Its identity is its epoch: a revocation replaces the object. */
export interface Scope {
  readonly id: string
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
  readonly until: number
  /** The last touch, on the clock. */
  readonly touchedAt: number
}

/** A thread and its credentials. */
export interface Thread {
  readonly id: string
  /** Everything's, until the thread itself is revoked. */
  root: Scope
  alive: Aliveness | undefined
  /** The first of a chain; revoked ones leave immediately, idle ones when they are dropped. A list would take 48 bytes. */
  newest: Entry | undefined
}

/** One credential. `idle` is running time, `issuedAt` the wall clock's; the others are the store's own count. */
export interface Entry {
  readonly id: string
  /** The digest as 32 one-byte characters: a third of what a Buffer takes. */
  readonly digest: string
  readonly thread: Thread
  readonly provider: Scope
  readonly session: Scope | undefined
  /** The next one of its thread. */
  older: Entry | undefined
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
}

/** A credential in the log. Times as in {@link Entry}. */
export interface StoredEntry {
  readonly id: string
  /** base64 */
  readonly digest: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly absolute: number | undefined
  readonly expires: number
  readonly idle: number
  readonly usableUntil?: number | undefined
  readonly isRevoked?: boolean | undefined
}

/** The times of one moment: of the store's own count, which deadlines are in, and the wall clock's. */
export interface Moment {
  readonly now: number
  readonly running: number
  readonly wall: number
}

/** What is added to a deadline of the store's own count when it is told. */
function wallOffset({ now, wall }: Pick<Moment, 'now' | 'wall'>): number {
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

/** The aliveness of a thread after a touch; undefined when that moves its end by less than `coalesceMs`. */
export function touched({ alive }: Thread, { now, running }: Moment, life: CredentialLife): Aliveness | undefined {
  const until = running + life.idleTimeoutMs + life.coalesceMs
  const isUnbroken = alive !== undefined && running <= alive.until && now <= alive.touchedAt + life.maximumLifetimeMs
  if (!isUnbroken) return { fromRunning: running, from: now, until, touchedAt: now }
  return until - alive.until >= life.coalesceMs ? { ...alive, until, touchedAt: now } : undefined
}

/** The deadlines of an entry that a use or a touch moves. */
export type Deadlines = Pick<Entry, 'idle' | 'expires'>

/** How long its thread's aliveness keeps an entry: written down before the two part, for it says how long the entry is known. */
export function lifted(entry: Entry, life: CredentialLife): Deadlines {
  return { idle: idleDeadline(entry, life), expires: expiryDeadline(entry, life) }
}

/** The deadlines of an entry after a use, never earlier; undefined when none moves by `coalesceMs` or more. */
export function slid(entry: Entry, { now, running }: Moment, life: CredentialLife): Deadlines | undefined {
  const idle = Math.max(idleDeadline(entry, life), running + life.idleTimeoutMs + life.coalesceMs)
  const expires = Math.max(entry.expires, cappedExpiry(entry, now, life))
  const isSmall = idle - entry.idle < life.coalesceMs && expires - entry.expires < life.coalesceMs
  return isSmall ? undefined : { idle, expires }
}

/** The expiry after a sign of life at `from`. */
export function cappedExpiry({ absolute }: Pick<Entry, 'absolute'>, from: number, life: CredentialLife): number {
  const expires = from + life.maximumLifetimeMs
  return absolute === undefined ? expires : Math.min(expires, absolute)
}

/** Whether an entry, or a scope of it, is revoked. */
export function isRevoked({ isRevoked, thread, provider, session }: Entry): boolean {
  return isRevoked || thread.root.isRevoked || provider.isRevoked || session?.isRevoked === true
}

/** The standing of a credential; an alias has none of its own. */
export function standingOf(entry: Entry, { now, running }: Moment, life: CredentialLife): Standing {
  if (isRevoked(entry)) return 'revoked'
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
    providerInstanceId: entry.provider.id,
    providerSessionId: entry.session?.id,
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

/** The entries of a thread, oldest first. */
export function entriesOf(thread: Thread | undefined): Entry[] {
  const entries: Entry[] = []
  for (let entry = thread?.newest; entry !== undefined; entry = entry.older) entries.push(entry)
  return entries.reverse()
}

/** Removes an entry from its thread. */
export function leave(entry: Entry): void {
  const { thread, older } = entry
  if (thread.newest === entry) thread.newest = older
  else {
    let newer = thread.newest
    while (newer !== undefined && newer.older !== entry) newer = newer.older
    if (newer !== undefined) newer.older = older
  }
  // What is dropped must not be kept by what has left.
  entry.older = undefined
}
