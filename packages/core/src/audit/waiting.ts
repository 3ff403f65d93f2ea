import type { AuditEvent } from './event.js'

/** An event that waits for a sink, and who is told whether it was written. */
export interface WaitingEvent {
  readonly event: AuditEvent
  /** In the order of arrival. */
  readonly seq: number
  readonly settle: ((isWritten: boolean) => void) | undefined
  /** How many events of the sink's own led to it: a sink that emits for each event never ends. */
  readonly depth: number
}

/** Events in the order in which they came. */
export class Waiting {
  #items: WaitingEvent[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  add(item: WaitingEvent): void {
    this.#items.push(item)
  }

  /** The number of the oldest; infinite when none waits. */
  get oldest(): number {
    return this.#items[this.#head]?.seq ?? Number.POSITIVE_INFINITY
  }

  /** Takes the oldest out. */
  shift(): WaitingEvent | undefined {
    return this.take(1)[0]
  }

  /** Takes the oldest ones out, `most` at most. */
  take(most: number): WaitingEvent[] {
    const taken = this.#items.slice(this.#head, this.#head + most)
    this.#head += taken.length
    // Compacting in halves keeps this O(1) on average and lets the written go.
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return taken
  }
}
