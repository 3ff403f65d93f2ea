import type { Clock } from '../clock.js'
import { type Expiring, ExpiryHeap } from './expiry-heap.js'

/** A row of {@link ExpiringRows}: it is its own entry, so that a row costs one object. `place` is the heap's own; begin with 0. */
export interface ExpiringRow<K> extends Expiring {
  readonly key: K
}

/** Expired rows that one call removes at most: at most about 0.2 ms. */
const SWEPT_AT_ONCE = 128

/**
 * Rows by key that expire, bounded. Expiry runs on `clock.now()` in ms and is exclusive: a row is gone from `expiresAt` on.
 *
 * No call is slow because there are many rows, or because many expire at once: a call removes a bounded number of expired
 * rows, and later turns of the event loop remove the rest. Reads are exact in the meantime.
 */
export class ExpiringRows<K, R extends ExpiringRow<K>> {
  readonly #rows = new Map<K, R>()
  readonly #heap = new ExpiryHeap<R>()
  readonly #maxEntries: number
  readonly #clock: Clock
  #isSweepPlanned = false

  /** @throws {RangeError} when `maxEntries` is not a positive integer: there would be no bound. */
  constructor(maxEntries: number, clock: Clock) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`maxEntries must be a positive integer, got ${maxEntries}`)
    }
    this.#maxEntries = maxEntries
    this.#clock = clock
  }

  /** Rows held, the expired ones that are not yet swept included. */
  get size(): number {
    return this.#rows.size
  }

  /** Whether a new row would be refused. */
  get isFull(): boolean {
    this.sweep()
    return this.#rows.size >= this.#maxEntries
  }

  /** A live row. */
  get(key: K): R | undefined {
    const row = this.#rows.get(key)
    return row !== undefined && row.expiresAt > this.#clock.now() ? row : undefined
  }

  /** A row that is held, expired or not. */
  peek(key: K): R | undefined {
    return this.#rows.get(key)
  }

  /**
   * Adds a row, in place of one that has its key. False when there are as many live ones as may be: none of them is ever
   * evicted.
   */
  add(row: R): boolean {
    const former = this.#rows.get(row.key)
    if (former !== undefined) this.delete(former)
    // It removes at least one expired row if there is any, so what is full after it is full of live ones.
    this.sweep()
    if (this.#rows.size >= this.#maxEntries) return false
    this.#rows.set(row.key, row)
    this.#heap.add(row)
    return true
  }

  /** Moves the expiry of a row that is held. */
  move(row: R, expiresAt: number): void {
    row.expiresAt = expiresAt
    this.#heap.moved(row)
  }

  /** Removes a row. False when it is not held. */
  delete(row: R): boolean {
    if (this.#rows.get(row.key) !== row) return false
    this.#rows.delete(row.key)
    this.#heap.remove(row)
    return true
  }

  clear(): void {
    this.#rows.clear()
    this.#heap.clear()
  }

  /** Live rows. */
  *[Symbol.iterator](): IterableIterator<R> {
    const now = this.#clock.now()
    for (const row of this.#rows.values()) if (row.expiresAt > now) yield row
  }

  /**
   * Removes what has expired: some of it now, the rest in later turns of the event loop. Called by `add`; call it from a
   * timer when nothing is added for long.
   */
  sweep(): void {
    const now = this.#clock.now()
    for (let left = SWEPT_AT_ONCE; left > 0; left -= 1) {
      const { first } = this.#heap
      if (first === undefined || first.expiresAt > now) return
      this.#rows.delete(first.key)
      this.#heap.remove(first)
    }
    if (this.#isSweepPlanned) return
    this.#isSweepPlanned = true
    setImmediate(() => {
      this.#isSweepPlanned = false
      this.sweep()
    }).unref()
  }
}
