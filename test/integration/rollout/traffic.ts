import type { Fleet } from './fleet.js'

/** The header fields of one request. */
export type Caller = (target: string) => Record<string, string>

/** Requests that come all the time: good ones, which must be 200, and bad ones, which must be 401. */
export class Traffic {
  readonly #fleet: Fleet
  readonly #good = new Map<string, Caller>()
  readonly #bad = new Map<string, Caller>()
  readonly #loops: Promise<void>[] = []
  readonly #sent = new Map<string, number>()
  #serial = 0
  #isOver = false
  /** Good requests that were not 200. */
  readonly refused: string[] = []
  /** Bad requests that were not 401. */
  readonly letIn: string[] = []

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** From now on this sender sends like that. */
  good(name: string, caller: Caller): void {
    this.#add(this.#good, name, caller)
  }

  bad(name: string, caller: Caller): void {
    this.#add(this.#bad, name, caller)
  }

  #add(senders: Map<string, Caller>, name: string, caller: Caller): void {
    const isNew = !senders.has(name)
    senders.set(name, caller)
    if (isNew) this.#loops.push(this.#loop(senders, name))
  }

  async #loop(senders: Map<string, Caller>, name: string): Promise<void> {
    while (!this.#isOver) {
      const caller = senders.get(name) as Caller
      this.#serial += 1
      const target = `/internal/jobs/${this.#serial}`
      const status = await this.#fleet.send(target, caller(target))
      if (senders === this.#good && status !== 200) this.refused.push(`${name}: ${status}`)
      if (senders === this.#bad && status !== 401) this.letIn.push(`${name}: ${status}`)
      this.#sent.set(name, (this.#sent.get(name) ?? 0) + 1)
      // A pause between two requests, as callers make; nothing is waited for.
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Settles when each sender has sent so many more. */
  async more(count: number): Promise<void> {
    const goals = [...this.#good.keys(), ...this.#bad.keys()].map(
      (name) => [name, (this.#sent.get(name) ?? 0) + count] as const,
    )
    while (goals.some(([name, goal]) => (this.#sent.get(name) ?? 0) < goal)) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  get count(): number {
    return [...this.#sent.values()].reduce((sum, one) => sum + one, 0)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }
}
