/**
 * Files entries by when they are due, in buckets. Nothing is moved when a deadline moves: an entry that comes due is
 * asked for its deadline and filed anew. So a slide costs nothing here, and a sweep touches only what is due.
 */
export class ExpiryWheel<T> {
  readonly #buckets = new Map<number, T[]>()
  readonly #bucketMs: number
  /** The bucket that is swept next. */
  #next: number

  constructor(bucketMs: number, now: number) {
    this.#bucketMs = bucketMs
    this.#next = Math.floor(now / bucketMs)
  }

  /** Files an entry under the moment from which it may be dropped. */
  file(entry: T, dueAt: number): void {
    const bucket = Math.max(Math.ceil(dueAt / this.#bucketMs), this.#next)
    const entries = this.#buckets.get(bucket)
    if (entries === undefined) this.#buckets.set(bucket, [entry])
    else entries.push(entry)
  }

  /** Visits what is due. `visit` returns the entry's deadline when that has moved, or undefined when it was dropped. */
  sweep(now: number, visit: (entry: T) => number | undefined): void {
    const current = Math.floor(now / this.#bucketMs)
    if (current < this.#next) return
    const due =
      current - this.#next < this.#buckets.size
        ? Array.from({ length: current - this.#next + 1 }, (_, index) => this.#next + index)
        : [...this.#buckets.keys()].filter((bucket) => bucket <= current)
    this.#next = current + 1
    for (const bucket of due) {
      const entries = this.#buckets.get(bucket) ?? []
      this.#buckets.delete(bucket)
      for (const entry of entries) {
        const dueAt = visit(entry)
        if (dueAt !== undefined) this.file(entry, dueAt)
      }
    }
  }

  /** Files everything anew; `visit` as for `sweep`. */
  refile(visit: (entry: T) => number | undefined): void {
    const all = [...this.#buckets.values()]
    this.#buckets.clear()
    for (const entries of all) {
      for (const entry of entries) {
        const dueAt = visit(entry)
        if (dueAt !== undefined) this.file(entry, dueAt)
      }
    }
  }
}
