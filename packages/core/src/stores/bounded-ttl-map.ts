import { type Clock, systemClock } from '../clock.js'
import { type Expiring, ExpiryHeap } from './expiry-heap.js'

/** Options of {@link BoundedTtlMap}. */
export interface BoundedTtlMapOptions {
  /** Entries that may live at once. A full map refuses; it never evicts a live entry. */
  readonly maxEntries: number
  readonly clock?: Clock | undefined
}

interface Entry<K, V> extends Expiring {
  readonly key: K
  value: V
}

/** Expired entries that one call removes at most: at most about 0.2 ms. */
const SWEPT_AT_ONCE = 128

/**
 * A map whose entries expire, bounded, for stores in memory. Expiry runs on `clock.now()` in ms and is exclusive: an
 * entry is gone from `expiresAt` on.
 *
 * No call is slow because the map is large, or because many entries expire at once: a call removes a bounded number of
 * expired entries, and later turns of the event loop remove the rest. Reads are exact in the meantime.
 */
export class BoundedTtlMap<K, V> {
  readonly #entries = new Map<K, Entry<K, V>>()
  readonly #heap = new ExpiryHeap<Entry<K, V>>()
  readonly #maxEntries: number
  readonly #clock: Clock
  #isSweepPlanned = false

  /** @throws {RangeError} when `maxEntries` is not a positive integer: the map would not be bounded. */
  constructor({ maxEntries, clock = systemClock }: BoundedTtlMapOptions) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`BoundedTtlMap: maxEntries must be a positive integer, got ${maxEntries}`)
    }
    this.#maxEntries = maxEntries
    this.#clock = clock
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
    // It removes at least one expired entry if there is any, so a map that is full after it is full of live ones.
    this.sweep()
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      entry.value = value
      this.#move(entry, expiresAt)
      return true
    }
    if (this.#entries.size >= this.#maxEntries) return false
    const added = { key, value, expiresAt, place: 0 }
    this.#entries.set(key, added)
    this.#heap.add(added)
    return true
  }

  /** Moves the expiry of a live entry. False when there is none. */
  extend(key: K, expiresAt: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAt <= this.#clock.now()) return false
    this.#move(entry, expiresAt)
    return true
  }

  delete(key: K): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.delete(key)
    this.#heap.remove(entry)
    return true
  }

  clear(): void {
    this.#entries.clear()
    this.#heap.clear()
  }

  /** Live entries. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    const now = this.#clock.now()
    for (const [key, entry] of this.#entries) if (entry.expiresAt > now) yield [key, entry.value]
  }

  /**
   * Removes what has expired: some of it now, the rest in later turns of the event loop. Called by `set`; call it from a
   * timer when nothing is set for long.
   */
  sweep(): void {
    const now = this.#clock.now()
    for (let left = SWEPT_AT_ONCE; left > 0; left -= 1) {
      const { first } = this.#heap
      if (first === undefined || first.expiresAt > now) return
      this.#entries.delete(first.key)
      this.#heap.remove(first)
    }
    if (this.#isSweepPlanned) return
    this.#isSweepPlanned = true
    setImmediate(() => {
      this.#isSweepPlanned = false
      this.sweep()
    }).unref()
  }

  #move(entry: Entry<K, V>, expiresAt: number): void {
    entry.expiresAt = expiresAt
    this.#heap.moved(entry)
  }
}
