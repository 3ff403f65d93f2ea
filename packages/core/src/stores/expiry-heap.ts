/** What lies in an {@link ExpiryHeap}. */
export interface Expiring {
  /** When it expires, in the time of its owner. After a change of it call {@link ExpiryHeap.moved}. */
  expiresAt: number
  /** Its place in the heap; the heap's own. */
  place: number
}

/**
 * A binary heap: the entry that expires first is on top. Each call costs O(log n), and adding an entry that expires after
 * all others O(1).
 */
export class ExpiryHeap<E extends Expiring> {
  readonly #entries: E[] = []

  /** The entry that expires first. */
  get first(): E | undefined {
    return this.#entries[0]
  }

  add(entry: E): void {
    entry.place = this.#entries.length
    this.#entries.push(entry)
    this.#rise(entry)
  }

  /** Puts an entry to its right place after its expiry was changed. */
  moved(entry: E): void {
    this.#rise(entry)
    this.#sink(entry)
  }

  remove(entry: E): void {
    const last = this.#entries.pop() as E
    if (last === entry) return
    this.#put(last, entry.place)
    this.moved(last)
  }

  clear(): void {
    this.#entries.length = 0
  }

  #put(entry: E, place: number): void {
    this.#entries[place] = entry
    entry.place = place
  }

  #rise(entry: E): void {
    let { place } = entry
    while (place > 0) {
      const above = this.#entries[(place - 1) >> 1] as E
      if (above.expiresAt <= entry.expiresAt) break
      const free = above.place
      this.#put(above, place)
      place = free
    }
    this.#put(entry, place)
  }

  #sink(entry: E): void {
    let { place } = entry
    for (;;) {
      const left = this.#entries[2 * place + 1]
      const right = this.#entries[2 * place + 2]
      const below = right !== undefined && left !== undefined && right.expiresAt < left.expiresAt ? right : left
      if (below === undefined || below.expiresAt >= entry.expiresAt) break
      const free = below.place
      this.#put(below, place)
      place = free
    }
    this.#put(entry, place)
  }
}
