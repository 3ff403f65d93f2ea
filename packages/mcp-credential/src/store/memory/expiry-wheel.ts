/**
 * Files entries by their deadline, in buckets. Nothing moves when a deadline moves: an entry that comes due is asked for
 * its deadline and filed again. So a slide costs nothing here, and a sweep visits only what is due.
 */
export class ExpiryWheel<T> {
  readonly #buckets = new Map<number, T[]>()
  readonly #bucketMs: number
  /** The next bucket to sweep. */
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

  /**
   * Visits at most `limit` entries that are due; what is left is due the next time. `visit` returns the entry's deadline
   * when that has moved, or undefined when it was dropped.
   */
  sweep(now: number, visit: (entry: T) => number | undefined, limit: number): void {
    const current = Math.floor(now / this.#bucketMs)
    let left = limit
    for (; this.#next <= current && left > 0; this.#next += 1) {
      const entries = this.#buckets.get(this.#next) ?? []
      const due = entries.splice(Math.max(0, entries.length - left))
      left -= due.length
      for (const entry of due) {
        const dueAt = visit(entry)
        if (dueAt !== undefined) this.file(entry, Math.max(dueAt, (this.#next + 1) * this.#bucketMs))
      }
      if (entries.length > 0) return
      this.#buckets.delete(this.#next)
    }
  }

  /** Files everything again; `visit` as for `sweep`. */
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
