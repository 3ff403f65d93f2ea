import { UnavailableError } from '@countersign/core'
import type { CredentialLife, NewCredential, RevocableScope } from '../port.js'
import {
  cappedExpiry,
  type Entry,
  expiryDeadline,
  extendAliveness,
  idleDeadline,
  isWanted,
  keepLifted,
  leave,
  type Moment,
  type Scope,
  type StoredEntry,
  slide,
  type Thread,
  wallOffset,
} from './entry.js'
import { ExpiryWheel } from './expiry-wheel.js'
import { Retirements } from './retirements.js'
import { ScopeMap } from './scope-map.js'

/** What a table is bounded by, and its clock. */
export interface TableLimits {
  readonly maxCredentials: number
  readonly moment: () => Moment
}

const BUCKET_MS = 15_000
/** Entries that are ended and kept only for the reason in a refusal. The oldest are dropped first. */
const MAX_TOMBSTONES = 10_000
const MAX_CAPABILITY_LISTS = 1000
/** Entries that one sweep visits: a sweep must not block the process. */
const MAX_SWEPT = 20_000

type Subject = Pick<NewCredential, 'id' | 'threadId' | 'providerInstanceId' | 'capabilities'> & {
  readonly providerSessionId?: string | undefined
}

/** The credentials of one process by id, by thread, by provider and by provider session. */
export class CredentialTable {
  readonly #entries = new Map<string, Entry>()
  #threads = new Map<string, Thread>()
  readonly #providers = new ScopeMap()
  readonly #sessions = new ScopeMap()
  readonly retired: Retirements = new Retirements()
  readonly #capabilities = new Map<string, readonly string[]>()
  readonly #limits: TableLimits
  readonly #wheel: ExpiryWheel<Entry>
  #tombstones: Entry[] = []
  /** Dropped entries that still lie in the wheel. */
  #dropped = 0
  #root: Scope = { isRevoked: false, entries: 0 }
  /** The life of the last call: a sweep uses it. */
  #life: CredentialLife | undefined
  #purgedAt = Number.NEGATIVE_INFINITY
  /** The last moment that the journal names: what is issued later has a later one. */
  #endedAt = 0
  #latestIssue = 0
  #latestExpiry = 0

  constructor(limits: TableLimits) {
    this.#limits = limits
    this.#wheel = new ExpiryWheel(BUCKET_MS, limits.moment().running)
  }

  get size(): number {
    return this.#entries.size
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  values(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  ofThread(threadId: string): readonly Entry[] {
    return this.#threads.get(threadId)?.entries ?? []
  }

  /** Adds a credential. For one in a full table, the caller drops another. */
  add(credential: NewCredential, at: Moment, life: CredentialLife): Entry {
    const absolute = life.absoluteLifetimeMs === undefined ? undefined : at.now + life.absoluteLifetimeMs
    const times = {
      issuedAt: Math.max(at.wall, this.#endedAt + 1),
      absolute,
      expires: cappedExpiry({ absolute }, at.now, life),
      idle: at.running + life.idleTimeoutMs + life.coalesceMs,
    }
    return this.#insert(credential, credential.digest.toString('latin1'), times, at, life)
  }

  /** Adds an entry of a snapshot. */
  restore(stored: StoredEntry, at: Moment, life: CredentialLife): void {
    const { issuedAt, absolute, expires, idleLeftMs, usableUntil } = stored
    const offset = wallOffset(at)
    const times = {
      issuedAt,
      absolute: absolute === undefined ? undefined : absolute - offset,
      expires: expires - offset,
      idle: at.running + idleLeftMs,
      usableUntil: usableUntil === undefined ? undefined : usableUntil - offset,
    }
    this.#insert(stored, Buffer.from(stored.digest, 'base64').toString('latin1'), times, at, life)
  }

  /** @throws {UnavailableError} when there is no room for so many. */
  reserve(count: number): void {
    if (this.#entries.size + count <= this.#limits.maxCredentials) return
    throw new UnavailableError('credential_store', 'the snapshot holds more than maxCredentials')
  }

  /** A moment for the journal, on the wall clock: not before anything was issued, even if the clock was set back since. */
  markEnd(at: Moment): number {
    this.issueAfter(Math.max(at.wall, this.#latestIssue))
    return this.#endedAt
  }

  /** On the wall clock: no credential that was ever held lives longer. */
  latestExpiry(at: Moment): number {
    return this.#latestExpiry + wallOffset(at)
  }

  /** What is issued from now on is later than a moment that the journal names, even if the clock was set back. */
  issueAfter(end: number): void {
    this.#endedAt = Math.max(this.#endedAt, end)
  }

  #insert(
    subject: Subject,
    digest: string,
    times: Pick<Entry, 'issuedAt' | 'absolute' | 'expires' | 'idle'> & { readonly usableUntil?: number | undefined },
    at: Moment,
    life: CredentialLife,
  ): Entry {
    this.#life = life
    const { id, threadId, providerInstanceId, providerSessionId } = subject
    const thread = this.#threadOf(threadId)
    const entry: Entry = {
      id,
      digest,
      thread,
      provider: this.#providers.enter(providerInstanceId),
      providerId: providerInstanceId,
      session: providerSessionId === undefined ? undefined : this.#sessions.enter(providerSessionId),
      sessionId: providerSessionId,
      root: this.#root,
      capabilities: this.#intern(subject.capabilities),
      issuedAt: times.issuedAt,
      absolute: times.absolute,
      expires: times.expires,
      idle: times.idle,
      usableUntil: times.usableUntil,
      holder: undefined,
      isRevoked: false,
      isDropped: false,
    }
    // The first push on an empty list would make room for 17; most threads have one credential.
    if (thread.entries.length === 0) thread.entries = [entry]
    else thread.entries.push(entry)
    this.#latestExpiry = Math.max(this.#latestExpiry, entry.expires)
    this.#latestIssue = Math.max(this.#latestIssue, entry.issuedAt)
    this.#entries.set(id, entry)
    this.#wheel.file(entry, this.#dueAt(entry, at, life))
    return entry
  }

  #threadOf(id: string): Thread {
    let thread = this.#threads.get(id)
    if (thread === undefined) {
      thread = { id, isRevoked: false, alive: undefined, entries: [] }
      this.#threads.set(id, thread)
    }
    return thread
  }

  /** Most credentials have one of a few lists. */
  #intern(capabilities: readonly string[]): readonly string[] {
    const key = capabilities.join(' ')
    const known = this.#capabilities.get(key)
    if (known !== undefined) return known
    const list = Object.freeze([...capabilities])
    if (this.#capabilities.size < MAX_CAPABILITY_LISTS) this.#capabilities.set(key, list)
    return list
  }

  /** Slides an entry that was used. */
  slide(entry: Entry, at: Moment, life: CredentialLife): void {
    slide(entry, at, life)
    this.#latestExpiry = Math.max(this.#latestExpiry, entry.expires)
  }

  touch(threadId: string, life: CredentialLife): boolean {
    const thread = this.#threads.get(threadId)
    if (thread === undefined) return false
    if (!life.slidesOnTouch) return true
    const at = this.#limits.moment()
    this.#latestExpiry = Math.max(this.#latestExpiry, at.now + life.maximumLifetimeMs)
    extendAliveness(thread, at, life)
    return true
  }

  /** The ids whose tokens are aliases of this one. */
  aliasesOf(id: string): string[] {
    const { thread } = this.#entries.get(id) ?? {}
    return thread === undefined ? [] : thread.entries.filter(({ holder }) => holder?.id === id).map((alias) => alias.id)
  }

  revoke(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.isRevoked) return false
    entry.isRevoked = true
    this.bury(entry)
    return true
  }

  revokeScope(scope: RevocableScope, id: string): boolean {
    if (scope === 'thread') return this.#revokeThread(id)
    if (scope === 'provider') return this.#providers.revoke(id)
    if (scope === 'session') return this.#sessions.revoke(id)
    const had = this.#threads.size > 0
    this.#root.isRevoked = true
    this.#root = { isRevoked: false, entries: 0 }
    this.#threads = new Map()
    return had
  }

  retire(threadId: string, blockMs: number): boolean {
    const { now } = this.#limits.moment()
    this.retired.add(threadId, now + blockMs, now)
    return this.#revokeThread(threadId)
  }

  #revokeThread(id: string): boolean {
    const thread = this.#threads.get(id)
    if (thread === undefined) return false
    thread.isRevoked = true
    this.#threads.delete(id)
    for (const entry of thread.entries) this.#addTombstone(entry)
    thread.entries = []
    return true
  }

  /** Removes an ended entry from its thread; it can be found for a while. */
  bury(entry: Entry): void {
    if (this.#life !== undefined) keepLifted(entry, this.#life)
    leave(entry)
    this.#addTombstone(entry)
  }

  #addTombstone(entry: Entry): void {
    this.#tombstones.push(entry)
    if (this.#tombstones.length <= 2 * MAX_TOMBSTONES) return
    for (const old of this.#tombstones.splice(0, MAX_TOMBSTONES)) this.drop(old)
    if (this.#dropped > this.#entries.size + MAX_TOMBSTONES) this.#refile(this.#limits.moment())
  }

  #refile(at: Moment): void {
    const life = this.#life as CredentialLife
    this.#wheel.refile((entry) => (entry.isDropped ? undefined : this.#dueAt(entry, at, life)))
    this.#dropped = 0
  }

  /** Drops entries that have been dead for the retention time; at most {@link MAX_SWEPT} at once. */
  sweep(): void {
    const at = this.#limits.moment()
    this.retired.sweep(at.now)
    this.#wheel.sweep(
      at.running,
      (entry) => {
        if (entry.isDropped) {
          this.#dropped -= 1
          return undefined
        }
        const life = this.#life as CredentialLife
        const dueAt = this.#dueAt(entry, at, life)
        if (dueAt > at.running) return dueAt
        this.drop(entry)
        this.#dropped -= 1
        return undefined
      },
      MAX_SWEPT,
    )
  }

  /** The running time from which an entry may be dropped. The clock runs no slower than running time. */
  #dueAt(entry: Entry, at: Moment, life: CredentialLife): number {
    // Of an alias all of it is its holder's: an overlap that was running when it was carried ends nothing.
    const holder = entry.holder ?? entry
    const expires = Math.min(expiryDeadline(holder, life), holder.usableUntil ?? Number.POSITIVE_INFINITY)
    const deadline = Math.min(idleDeadline(holder, life), at.running + Math.max(expires - at.now, -life.retentionMs))
    return deadline + life.retentionMs
  }

  drop(entry: Entry): void {
    if (entry.isDropped) return
    entry.isDropped = true
    this.#dropped += 1
    this.#entries.delete(entry.id)
    leave(entry)
    const { thread } = entry
    if (thread.entries.length === 0 && this.#threads.get(thread.id) === thread) this.#threads.delete(thread.id)
    this.#providers.leave(entry.providerId, entry.provider)
    if (entry.session !== undefined) this.#sessions.leave(entry.sessionId as string, entry.session)
  }

  /** A full table drops its dead entries first; at most once in 15 s, because it visits all. */
  isFull(at: Moment, life: CredentialLife): boolean {
    const { maxCredentials } = this.#limits
    this.#life = life
    if (this.#entries.size < maxCredentials) return false
    if (at.running - this.#purgedAt < BUCKET_MS) return true
    this.#purgedAt = at.running
    for (const entry of this.#entries.values()) if (!isWanted(entry, at, life)) this.drop(entry)
    this.#tombstones = []
    this.#refile(at)
    return this.#entries.size >= maxCredentials
  }
}
