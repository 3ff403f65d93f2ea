/** Threads that are blocked at once. Beyond it the oldest are dropped: they hardly have an issue in flight. */
const MAX_RETIRED = 100_000

/** Threads for which nothing may be issued. */
export class Retirements {
  readonly #until = new Map<string, number>()

  add(threadId: string, until: number, now: number): void {
    this.#until.delete(threadId)
    this.#until.set(threadId, until)
    if (this.#until.size <= MAX_RETIRED) return
    this.sweep(now)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MAX_RETIRED) return
      this.#until.delete(oldest)
    }
  }

  has(threadId: string, now: number): boolean {
    const until = this.#until.get(threadId)
    return until !== undefined && now <= until
  }

  entries(): (readonly [threadId: string, until: number])[] {
    return [...this.#until]
  }

  sweep(now: number): void {
    for (const [threadId, until] of this.#until) if (until < now) this.#until.delete(threadId)
  }
}
