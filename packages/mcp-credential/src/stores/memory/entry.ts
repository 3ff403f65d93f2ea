import type { CredentialLife, CredentialRecord, Standing } from '../store.js'

/** A provider, a provider session, or everything. Its identity is its epoch: after a revocation there is another one. */
export interface Scope {
  isRevoked: boolean
  /** Entries that refer to it, so that it can go with the last. */
  entries: number
}

/** An unbroken time in which the host said that a thread is alive. */
export interface Aliveness {
  /** When it began, in running time and on the clock. */
  readonly fromRunning: number
  readonly from: number
  /** Running time until which it counts. */
  until: number
  /** The last touch, on the clock. */
  touchedAt: number
}

export interface Thread {
  readonly id: string
  isRevoked: boolean
  alive: Aliveness | undefined
  /** Its credentials, oldest first; those that are ended leave at once, those that are idle when they are dropped. */
  entries: Entry[]
}

/** One credential. `idle` is running time; the other times are ms since the epoch. */
export interface Entry {
  readonly id: string
  /** SHA-256 of the secret as 32 one-byte characters: a third of what a Buffer takes. */
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

/** An entry as a snapshot holds it. Times are ms since the epoch, or what was left of running time. */
export interface StoredEntry {
  readonly id: string
  /** base64 */
  readonly digest: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId?: string
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly expires: number
  readonly absolute?: number
  /** Below zero for one that is idle. */
  readonly idleLeftMs: number
  readonly usableUntil?: number
  /** The id that an alias stands for. */
  readonly holder?: string
}

/** Both times of one moment. */
export interface Moment {
  readonly now: number
  readonly running: number
}

function isLifted({ thread: { alive }, idle, expires }: Entry, life: CredentialLife): boolean {
  // A touch lengthens a life that had not ended when the aliveness began; it brings nothing back.
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

export function cappedExpiry({ absolute }: Pick<Entry, 'absolute'>, from: number, life: CredentialLife): number {
  const expires = from + life.maximumLifetimeMs
  return absolute === undefined ? expires : Math.min(expires, absolute)
}

export function standingOf(entry: Entry, { now, running }: Moment, life: CredentialLife): Standing {
  const { thread, provider, session, root } = entry
  if (entry.isRevoked || thread.isRevoked || provider.isRevoked || session?.isRevoked || root.isRevoked) {
    return 'revoked'
  }
  if (entry.usableUntil !== undefined && now > entry.usableUntil) return 'superseded'
  if (now > expiryDeadline(entry, life)) return 'expired'
  return running > idleDeadline(entry, life) ? 'idle' : 'live'
}

/** An entry as callers see it. */
export function recordOf(entry: Entry, { now, running }: Moment, life: CredentialLife): CredentialRecord {
  return {
    credentialId: entry.id,
    threadId: entry.thread.id,
    providerInstanceId: entry.providerId,
    providerSessionId: entry.sessionId,
    capabilities: entry.capabilities,
    issuedAt: entry.issuedAt,
    expiresAt: expiryDeadline(entry, life),
    idleAt: Math.floor(now + idleDeadline(entry, life) - running),
  }
}

/** Whether an entry is usable, or idle and may be revived. */
export function isWanted(entry: Entry, at: Moment, life: CredentialLife): boolean {
  const standing = entry.isRevoked ? 'revoked' : standingOf(entry.holder ?? entry, at, life)
  return standing === 'live' || (standing === 'idle' && life.revivesIdle)
}

/** Whether nothing ended it, be it usable or not. */
export const isCurrent = (standing: Standing): boolean => standing !== 'revoked' && standing !== 'superseded'

/** Takes an entry from its thread. */
export function leave(entry: Entry): void {
  const { thread } = entry
  const index = thread.entries.indexOf(entry)
  if (index !== -1) thread.entries.splice(index, 1)
}
