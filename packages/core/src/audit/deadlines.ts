/** What has to end in time. */
export interface Deadline {
  readonly untilMs: number
  readonly giveUp: () => void
  isOver: boolean
}

/** Gives up on what has not ended in time, with one timer for all that is open. */
export class Deadlines {
  /** In their order, since all have the same time. */
  #open: Deadline[] = []
  #count = 0
  #timer: NodeJS.Timeout | undefined
  #reading: NodeJS.Immediate | undefined
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }

  /** Calls `giveUp` when the time is over and {@link end} was not called. */
  begin(giveUp: () => void): Deadline {
    const deadline = { untilMs: performance.now() + this.ms, giveUp, isOver: false }
    this.#open.push(deadline)
    this.#count += 1
    if (this.#timer === undefined && this.#reading === undefined) this.#arm(this.ms)
    return deadline
  }

  /** It ended, in time or not. */
  end(deadline: Deadline): void {
    if (deadline.isOver) return
    deadline.isOver = true
    this.#count -= 1
    if (this.#count > 0) return
    this.#open = []
    clearTimeout(this.#timer)
    clearImmediate(this.#reading)
    this.#timer = undefined
    this.#reading = undefined
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => {
      const nowMs = performance.now()
      this.#timer = undefined
      // A stall of the app is none of the sink's: what it answered meanwhile is read first.
      this.#reading = setImmediate(() => this.#giveUp(nowMs))
    }, ms)
  }

  #giveUp(nowMs: number): void {
    this.#reading = undefined
    const late = this.#open.findIndex(({ isOver, untilMs }) => !isOver && untilMs > nowMs)
    const due = this.#open.splice(0, late === -1 ? this.#open.length : late)
    const [next] = this.#open
    if (next !== undefined) this.#arm(Math.max(1, next.untilMs - performance.now()))
    for (const deadline of due) {
      if (deadline.isOver) continue
      this.end(deadline)
      deadline.giveUp()
    }
  }
}
