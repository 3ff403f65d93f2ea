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

/** What is kept first: 0 is a grant or a change of state, 1 what is critical or about the audit itself, 2 the rest. */
export type Rank = 0 | 1 | 2

/** The rank of an event. */
export function rankOf({ outcome, severity, type }: AuditEvent): Rank {
  if (outcome === 'success') return 0
  return severity === 'critical' || type.startsWith('audit.') ? 1 : 2
}

/** Events that wait, by rank, and within a rank in the order in which they came. */
export class Waiting {
  readonly #lanes: readonly [Lane, Lane, Lane] = [new Lane(), new Lane(), new Lane()]
  size = 0

  add(item: WaitingEvent, rank: Rank): void {
    this.#lanes[rank].add(item)
    this.size += 1
  }

  /** The number of the oldest; infinite when none waits. */
  get oldest(): number {
    return Math.min(...this.#lanes.map(({ oldest }) => oldest))
  }

  /** Takes out the oldest of the lowest rank, if it is below this one or, unless it `mustBeBelow`, equal to it. */
  evict(rank: Rank, mustBeBelow: boolean): WaitingEvent | undefined {
    const lowest = this.#lanes.findLastIndex(({ size }) => size > 0)
    if (lowest < rank || (mustBeBelow && lowest === rank)) return undefined
    this.size -= 1
    return this.#lanes[lowest]?.take(1)[0]
  }

  /** Takes out `most` at most, of the first rank or of the rank of the oldest first; they are in the order in which they came. */
  take(most: number, order: 'by rank' | 'oldest first'): WaitingEvent[] {
    const taken: WaitingEvent[] = []
    const lanes = order === 'by rank' ? this.#lanes : this.#lanes.toSorted((a, b) => a.oldest - b.oldest)
    for (const lane of lanes) {
      if (lane.size === 0 || taken.length === most) continue
      const isMixed = taken.length > 0
      taken.push(...lane.take(most - taken.length))
      if (isMixed) taken.sort((a, b) => a.seq - b.seq)
    }
    this.size -= taken.length
    return taken
  }
}

class Lane {
  #items: WaitingEvent[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get oldest(): number {
    return this.#items[this.#head]?.seq ?? Number.POSITIVE_INFINITY
  }

  add(item: WaitingEvent): void {
    this.#items.push(item)
  }

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
