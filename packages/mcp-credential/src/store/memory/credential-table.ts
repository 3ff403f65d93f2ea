import { memberOf } from '@countersign/core/gate-kit'
import type { CredentialLife, RevocableScope } from '../port.js'
import {
  type Aliveness,
  type Entry,
  entriesOf,
  expiryDeadline,
  idleDeadline,
  isWanted,
  leave,
  lifted,
  type Moment,
  type Scope,
  type StoredEntry,
  type Thread,
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
/** Of a thread that is revoked. */
const REVOKED: Scope = Object.freeze({ id: '', isRevoked: true, entries: 0 })
/** Entries that one sweep visits: a sweep must not block the process. */
const MAX_SWEPT = 20_000

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
  #root: Scope = newRoot()
  /** The life of the last issue: a sweep uses it. Undefined after a restart: then nothing is dropped. */
  life: CredentialLife | undefined
  #purgedAt = Number.NEGATIVE_INFINITY

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

  /** Whether an entry has not been dropped. */
  #holds(entry: Entry): boolean {
    return this.#entries.get(entry.id) === entry
  }

  values(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  ofThread(threadId: string): readonly Entry[] {
    return entriesOf(this.#threads.get(threadId))
  }

  threads(): IterableIterator<Thread> {
    return this.#threads.values()
  }

  /** Adds a credential. For one in a full table, the caller drops another. */
  insert(stored: StoredEntry): void {
    const { id, providerInstanceId } = stored
    // Own members alone: what JSON left out, no prototype may say.
    const providerSessionId = memberOf(stored, 'providerSessionId')
    const usableUntil = memberOf(stored, 'usableUntil')
    const thread = this.#threadOf(stored.threadId)
    const entry: Entry = {
      id,
      digest: Buffer.from(stored.digest, 'base64').toString('latin1'),
      thread,
      provider: this.#providers.enter(providerInstanceId),
      session: providerSessionId === undefined ? undefined : this.#sessions.enter(providerSessionId),
      older: thread.newest,
      capabilities: this.#intern(stored.capabilities),
      issuedAt: stored.issuedAt,
      absolute: memberOf(stored, 'absolute'),
      expires: stored.expires,
      idle: stored.idle,
      usableUntil: undefined,
      holder: undefined,
      isRevoked: false,
    }
    thread.newest = entry
    this.#entries.set(id, entry)
    this.#wheel.file(entry, this.life === undefined ? 0 : this.#dueAt(entry, this.#limits.moment(), this.life))
    if (usableUntil !== undefined) this.supersede(id, usableUntil)
    if (memberOf(stored, 'isRevoked')) this.revoke(id)
  }

  #threadOf(id: string): Thread {
    let thread = this.#threads.get(id)
    if (thread === undefined) {
      thread = { id, root: this.#root, alive: undefined, newest: undefined }
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

  thread(id: string): Thread | undefined {
    return this.#threads.get(id)
  }

  setAlive(threadId: string, alive: Aliveness): void {
    const thread = this.#threads.get(threadId)
    if (thread !== undefined) thread.alive = alive
  }

  /** Limits the use of a credential that another one takes the place of; an earlier limit stays. */
  supersede(id: string, until: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.usableUntil = Math.min(entry.usableUntil ?? Number.POSITIVE_INFINITY, until)
    if (entry.usableUntil < this.#limits.moment().now) this.bury(entry)
  }

  /** Makes a token an alias of a newer credential. */
  carry(id: string, by: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    const holder = this.#entries.get(by)
    // One that stands for what is no longer known has ended with it.
    if (holder === undefined) this.revoke(id)
    else entry.holder = holder.holder ?? holder
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
    this.#root = newRoot()
    this.#threads = new Map()
    return had
  }

  /** Blocks a thread until then, and revokes it. */
  retire(threadId: string, until: number): boolean {
    this.retired.add(threadId, until, this.#limits.moment().now)
    return this.#revokeThread(threadId)
  }

  #revokeThread(id: string): boolean {
    const thread = this.#threads.get(id)
    if (thread === undefined) return false
    thread.root = REVOKED
    this.#threads.delete(id)
    const entries = entriesOf(thread)
    thread.newest = undefined
    for (const entry of entries) {
      entry.older = undefined
      this.#addTombstone(entry)
    }
    return true
  }

  /** Removes an ended entry from its thread; it can be found for a while. */
  bury(entry: Entry): void {
    if (this.life !== undefined) Object.assign(entry, lifted(entry, this.life))
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
    const { life } = this
    if (life === undefined) return
    this.#wheel.refile((entry) => (this.#holds(entry) ? this.#dueAt(entry, at, life) : undefined))
    this.#dropped = 0
  }

  /** Drops entries that have been dead for the retention time; at most {@link MAX_SWEPT} at once. */
  sweep(): void {
    const at = this.#limits.moment()
    this.retired.sweep(at.now)
    const { life } = this
    if (life === undefined) return
    this.#wheel.sweep(
      at.running,
      (entry) => {
        if (!this.#holds(entry)) {
          this.#dropped -= 1
          return undefined
        }
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

  /** Drops an entry whose retention is over. A restart reads those of the log again, and no sweep has met them yet. */
  forgets(entry: Entry, at: Moment, life: CredentialLife): boolean {
    if (this.#dueAt(entry, at, life) > at.running) return false
    this.drop(entry)
    return true
  }

  drop(entry: Entry): void {
    if (!this.#holds(entry)) return
    this.#dropped += 1
    this.#entries.delete(entry.id)
    leave(entry)
    const { thread } = entry
    if (thread.newest === undefined && this.#threads.get(thread.id) === thread) this.#threads.delete(thread.id)
    this.#providers.leave(entry.provider)
    if (entry.session !== undefined) this.#sessions.leave(entry.session)
  }

  /** A full table drops its dead entries first; at most once in 15 s, because it visits all. */
  isFull(at: Moment, life: CredentialLife): boolean {
    const { maxCredentials } = this.#limits
    this.life = life
    if (this.#entries.size < maxCredentials) return false
    if (at.running - this.#purgedAt < BUCKET_MS) return true
    this.#purgedAt = at.running
    for (const entry of this.#entries.values()) if (!isWanted(entry, at, life)) this.drop(entry)
    this.#tombstones = []
    this.#refile(at)
    return this.#entries.size >= maxCredentials
  }
}

/** The epoch of everything. */
function newRoot(): Scope {
  return { id: '*', isRevoked: false, entries: 0 }
}
