import { type Clock, systemClock } from '../clock.js'

/** Options of {@link BoundedTtlMap}. */
export interface BoundedTtlMapOptions {
  /** Entries that may live at once. A full map refuses; it never evicts a live entry. */
  readonly maxEntries: number
  readonly clock?: Clock | undefined
  /** Width of an expiry bucket in ms: how late memory may be freed. Default 1000. Reads are exact whatever it is. */
  readonly bucketMs?: number | undefined
}

interface Entry<V> {
  value: V
  expiresAt: number
}

/**
 * A map whose entries expire, bounded, for stores in memory. Expiry runs on `clock.now()` in ms and is exclusive: an
 * entry is gone from `expiresAt` on.
 *
 * Entries lie in buckets by expiry. Moving an expiry costs O(1): the entry stays in its old bucket, and when that
 * comes due it is filed again. A sweep touches only what is due, so no call is ever slow because the map is large.
 */
export class BoundedTtlMap<K, V> {
  readonly #entries = new Map<K, Entry<V>>()
  #buckets = new Map<number, K[]>()
  #filed = 0
  #sweptBucket: number
  readonly #maxEntries: number
  readonly #clock: Clock
  readonly #bucketMs: number

  /** @throws {RangeError} when `maxEntries` is not a positive integer: the map would not be bounded. */
  constructor({ maxEntries, clock = systemClock, bucketMs = 1000 }: BoundedTtlMapOptions) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`BoundedTtlMap: maxEntries must be a positive integer, got ${maxEntries}`)
    }
    this.#maxEntries = maxEntries
    this.#clock = clock
    this.#bucketMs = bucketMs
    this.#sweptBucket = Math.floor(clock.now() / bucketMs)
  }

  /** Entries held, the expired ones that are not yet swept included. */
  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry.value : undefined
  }

  /** The moment a live entry expires, in ms since the epoch. */
  expiresAt(key: K): number | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry.expiresAt : undefined
  }

  /** Adds or replaces. False when the key is new and the map is full of live entries. */
  set(key: K, value: V, expiresAt: number): boolean {
    this.sweep()
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      const isEarlier = expiresAt < entry.expiresAt
      entry.value = value
      entry.expiresAt = expiresAt
      if (isEarlier) this.#fileEarlier(key, expiresAt)
      return true
    }
    if (this.#entries.size >= this.#maxEntries) return false
    this.#entries.set(key, { value, expiresAt })
    this.#file(key, expiresAt)
    return true
  }

  /** Moves the expiry of a live entry. False when there is none. */
  extend(key: K, expiresAt: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAt <= this.#clock.now()) return false
    const isEarlier = expiresAt < entry.expiresAt
    entry.expiresAt = expiresAt
    if (isEarlier) this.#fileEarlier(key, expiresAt)
    return true
  }

  delete(key: K): boolean {
    const existed = this.#entries.delete(key)
    if (existed) this.#tidy()
    return existed
  }

  clear(): void {
    this.#entries.clear()
    this.#buckets.clear()
    this.#filed = 0
  }

  /** Live entries. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    const now = this.#clock.now()
    for (const [key, entry] of this.#entries) if (entry.expiresAt > now) yield [key, entry.value]
  }

  /** Removes what has expired. Called by `set`; call it from a timer when nothing is set for long. */
  sweep(): void {
    const now = this.#clock.now()
    const current = Math.floor(now / this.#bucketMs)
    // A clock that went back: what is filed from now on comes due at its own time, and not when the clock catches up.
    if (current < this.#sweptBucket) this.#sweptBucket = current
    if (current === this.#sweptBucket) return
    const due =
      current - this.#sweptBucket <= this.#buckets.size
        ? Array.from({ length: current - this.#sweptBucket }, (_, index) => this.#sweptBucket + index)
        : [...this.#buckets.keys()].filter((bucket) => bucket < current)
    this.#sweptBucket = current
    for (const bucket of due) this.#sweepBucket(bucket, now)
  }

  #sweepBucket(bucket: number, now: number): void {
    const keys = this.#buckets.get(bucket)
    if (keys === undefined) return
    this.#buckets.delete(bucket)
    this.#filed -= keys.length
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry === undefined) continue
      if (entry.expiresAt <= now) this.#entries.delete(key)
      else this.#file(key, entry.expiresAt)
    }
  }

  #file(key: K, expiresAt: number): void {
    // Never into a bucket that was swept already: the entry would never come due.
    const bucket = Math.max(Math.floor(expiresAt / this.#bucketMs), this.#sweptBucket)
    const keys = this.#buckets.get(bucket)
    if (keys === undefined) this.#buckets.set(bucket, [key])
    else keys.push(key)
    this.#filed += 1
  }

  #fileEarlier(key: K, expiresAt: number): void {
    this.#file(key, expiresAt)
    this.#tidy()
  }

  /** A key stays in its old bucket until that is due; when the dead outnumber the living, everything is filed again. */
  #tidy(): void {
    if (this.#filed <= 2 * this.#entries.size + 1024) return
    this.#buckets = new Map()
    this.#filed = 0
    for (const [key, entry] of this.#entries) this.#file(key, entry.expiresAt)
  }
}
