import { type Clock, systemClock } from '../clock.js'
import { type ExpiringRow, ExpiringRows } from './expiring-rows.js'

/** Options of {@link BoundedTtlMap}. */
export interface BoundedTtlMapOptions {
  /** Entries that may live at once. A full map refuses; it never evicts a live entry. */
  readonly maxEntries: number
  readonly clock?: Clock | undefined
}

interface Entry<K, V> extends ExpiringRow<K> {
  value: V
}

/** A map whose entries expire, bounded, for stores in memory: {@link ExpiringRows} of values. */
export class BoundedTtlMap<K, V> {
  readonly #entries: ExpiringRows<K, Entry<K, V>>

  /** @throws {RangeError} when `maxEntries` is not a positive integer: the map would not be bounded. */
  constructor({ maxEntries, clock = systemClock }: BoundedTtlMapOptions) {
    this.#entries = new ExpiringRows(maxEntries, clock)
  }

  /** Entries held, the expired ones that are not yet swept included. */
  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** The moment a live entry expires, in ms since the epoch. */
  expiresAt(key: K): number | undefined {
    return this.#entries.get(key)?.expiresAt
  }

  /** Adds or replaces. False when the key is new and the map is full of live entries. */
  set(key: K, value: V, expiresAt: number): boolean {
    this.sweep()
    const entry = this.#entries.peek(key)
    if (entry === undefined) return this.#entries.add({ key, value, expiresAt, place: 0 })
    entry.value = value
    this.#entries.move(entry, expiresAt)
    return true
  }

  /** Moves the expiry of a live entry. False when there is none. */
  extend(key: K, expiresAt: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.move(entry, expiresAt)
    return true
  }

  delete(key: K): boolean {
    const entry = this.#entries.peek(key)
    return entry !== undefined && this.#entries.delete(entry)
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Live entries. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    for (const { key, value } of this.#entries) yield [key, value]
  }

  /** Removes what has expired: see {@link ExpiringRows.sweep}. */
  sweep(): void {
    this.#entries.sweep()
  }
}
