import { withDeadline } from '@countersign/core/gate-kit'
import { type PostgresClient, qualified } from './client.js'

/** Between two sweeps of one process. */
const SWEEP_EVERY_MS = 5000
/** Rows that one statement deletes: it holds their locks for milliseconds. */
const BATCH = 1000
const SWEEP_MS = 30_000

/**
 * Deletes what has expired, in small batches, after calls that came anyway: a process that is asked nothing needs no
 * timer, and one that is asked much sweeps as fast as rows expire. Decisions never wait for it, and never depend on it.
 */
export class Sweeper {
  readonly #client: PostgresClient
  readonly #schema: string | undefined
  readonly #texts = new Set<string>()
  #sweptMs = performance.now()
  #isSweeping = false

  constructor(client: PostgresClient, schema: string | undefined) {
    this.#client = client
    this.#schema = schema
  }

  /** Adds a function that deletes at most as many rows as it is told, and says how many there were. */
  add(name: string): void {
    this.#texts.add(`SELECT ${qualified(this.#schema, name)}($1)::float8 AS swept`)
  }

  mayBeDue(): void {
    if (this.#isSweeping || performance.now() - this.#sweptMs < SWEEP_EVERY_MS) return
    this.#isSweeping = true
    void this.#sweepAll()
  }

  async #sweepAll(): Promise<void> {
    // One that fails is tried again, and keeps no other from its own; what stays is refused all the same.
    for (const text of this.#texts) await this.#sweep(text).catch(() => undefined)
    this.#sweptMs = performance.now()
    this.#isSweeping = false
  }

  async #sweep(text: string): Promise<void> {
    for (let swept = BATCH; swept >= BATCH; ) {
      const { rows } = await withDeadline(this.#client.query(text, [BATCH]), SWEEP_MS, 'postgres')
      swept = (rows[0] as { swept: number }).swept
    }
  }
}
