// Not the global one: a test of the app that fakes it must not see this.
import { setTimeout as wait } from 'node:timers/promises'
import { UnavailableError } from '@countersign/core'
import { isUnavailable, ServerClock, withDeadline } from '@countersign/core/gate-kit'
import { adviseOnPool } from './advise-on-pool.js'
import { type PostgresClient, qualified } from './client.js'
import { isRefusal, sqlState } from './refusal.js'
import { Sweeper } from './sweeper.js'

/** Who calls, and on what terms. */
export interface Caller {
  /** What its `UnavailableError`s name. */
  readonly dependency: string
  readonly commandTimeoutMs: number
}

/** A function in the database, and what it is called with. */
export interface Call {
  /** Its name, and the positions of what it takes after the namespace and the deadline. */
  readonly text: string
  readonly name: string
  readonly namespace: string
  readonly values: readonly string[]
  /** Milliseconds that the answer, not the call, may take beyond the deadline. */
  readonly patienceMs: number
  /** Called before a call fails that may have been done; `answer` settles with its answer, if one comes. */
  readonly onUnknown?: ((answer?: Promise<unknown>) => void) | undefined
}

/** Before the caller's deadline, so much of its time is for the way back. */
const REPLY_MARGIN = 0.1
/** Waits between the tries of a call whose connection was lost. */
const RETRY_MS = [0, 50, 200]
/** How often a call that did nothing goes again: it came too late for want of its process's time, or met a deadlock. */
const MOST_ROUNDS = 3
/** A probe that has no answer after so long is given up: its connection may be dead, and another one may live. */
const PROBE_MS = 5000
const TOO_LATE = 'CS001'
/** What the server rolled back for the sake of others: nothing was done. */
const ROLLED_BACK = ['40001', '40P01']
/** A function, table, column or schema that is not there. */
const NOT_MIGRATED = ['42883', '42P01', '42703', '3F000']

/**
 * Calls functions of the database, each with a deadline of its own on the server's clock. After a missed deadline nothing but a
 * probe is sent until that answers. A call whose connection was lost goes again, on another one: asked again, the same
 * attempt answers the same.
 */
export class Connection {
  readonly sweeper: Sweeper
  readonly #client: PostgresClient
  readonly #clockText: string
  readonly #clock = new ServerClock()
  #probe: Promise<void> | undefined
  /** A call missed its deadline, and nothing has answered since. */
  #isSuspect = false

  constructor(client: PostgresClient, schema: string | undefined) {
    this.#client = client
    // As every call begins, without a deadline: a server that no call may use is not ready.
    this.#clockText = `SELECT ${qualified(schema, 'countersign_begin(9223372036854775807)')}::float8 AS at`
    this.sweeper = new Sweeper(client, schema)
    adviseOnPool(client)
  }

  /** @throws {UnavailableError} when the server cannot be asked, did not answer in time, or refused. */
  async call(caller: Caller, call: Call): Promise<unknown> {
    const untilMs = performance.now() + caller.commandTimeoutMs
    try {
      const answer = await this.#ask(call, untilMs)
      this.sweeper.mayBeDue()
      return answer
    } catch (error) {
      throw unavailable(caller.dependency, error)
    }
  }

  /** Settles when the server answers. */
  async ready({ dependency, commandTimeoutMs }: Caller): Promise<void> {
    try {
      await this.#untilOpen(performance.now() + commandTimeoutMs)
    } catch (error) {
      throw unavailable(dependency, error)
    }
  }

  async #ask(call: Call, untilMs: number): Promise<unknown> {
    let mayBeDone = false
    for (let tries = 0; ; tries += 1) {
      let isSent = false
      try {
        await this.#untilOpen(untilMs)
        isSent = true
        return await this.#send(call, untilMs)
      } catch (error) {
        const waitMs = isUnavailable(error) || isRefusal(error) ? undefined : RETRY_MS[tries]
        // The connection was lost, and with it perhaps the answer. Another server may answer on the next one.
        if (waitMs !== undefined) this.#clock.forget()
        mayBeDone ||= isSent && !isRefusal(error)
        if (waitMs === undefined || performance.now() + waitMs >= untilMs) {
          // Of a missed deadline it was told with the answer that may come.
          if (mayBeDone && !(isSent && isUnavailable(error))) call.onUnknown?.()
          throw error
        }
        if (waitMs > 0) await wait(waitMs)
      }
    }
  }

  async #untilOpen(untilMs: number): Promise<void> {
    if (this.#clock.isKnown && !this.#isSuspect) return
    if (this.#isSuspect && this.#probe !== undefined)
      throw new UnavailableError('postgres', 'the server has not answered since a missed deadline')
    try {
      await withDeadline(this.#sendProbe(), untilMs - performance.now(), 'a probe of PostgreSQL')
    } catch (error) {
      if (isUnavailable(error)) this.#isSuspect = true
      throw error
    }
  }

  /** One at a time. */
  #sendProbe(): Promise<void> {
    const sentMs = performance.now()
    this.#probe ??= withDeadline(this.#client.query(this.#clockText), PROBE_MS, 'a probe of PostgreSQL')
      .then(({ rows }) => {
        this.#clock.learn((rows[0] as { at: number }).at, sentMs, performance.now())
        this.#isSuspect = false
      })
      .finally(() => {
        this.#probe = undefined
      })
    this.#probe.catch(() => undefined)
    return this.#probe
  }

  async #send(call: Call, untilMs: number, rounds = MOST_ROUNDS): Promise<unknown> {
    const askedMs = performance.now()
    const remainingMs = untilMs - askedMs
    let writtenMs = askedMs
    // The client writes in the next tick; until then the app may have held the event loop.
    process.nextTick(() => {
      writtenMs = performance.now()
    })
    const until = this.#clock.at(untilMs - remainingMs * REPLY_MARGIN)
    const answer = this.#client.query(call.text, [call.namespace, until, ...call.values]).then(({ rows }) => {
      const { answer, at } = rows[0] as { answer: string | null; at: number }
      this.#clock.learn(at, askedMs, performance.now())
      return answer === null ? null : (JSON.parse(answer) as unknown)
    })
    try {
      return await withDeadline(answer, remainingMs + call.patienceMs, call.name)
    } catch (error) {
      const state = sqlState(error)
      const againUntilMs = state === TOO_LATE ? untilMs + writtenMs - askedMs : untilMs
      const didNothing = state === TOO_LATE || ROLLED_BACK.includes(state ?? '')
      if (didNothing && rounds > 0 && againUntilMs > performance.now()) {
        if (state === TOO_LATE) this.#clock.forget()
        await this.#untilOpen(againUntilMs)
        return this.#send(call, againUntilMs, rounds - 1)
      }
      if (isUnavailable(error)) {
        this.#isSuspect = true
        void this.#sendProbe()
        call.onUnknown?.(answer)
      }
      throw error
    }
  }
}

function unavailable(dependency: string, cause: unknown): UnavailableError {
  const state = sqlState(cause) ?? ''
  const why = cause instanceof Error ? cause.message : String(cause)
  const remedy = NOT_MIGRATED.includes(state) ? '. Run "countersign migrate"' : ''
  return new UnavailableError(dependency, `PostgreSQL is unavailable: ${why}${remedy}`, {
    cause,
    isTimeout: isUnavailable(cause) && cause.isTimeout,
  })
}

const connections = new WeakMap<PostgresClient, Map<string, Connection>>()

/** The one connection of a client and schema: what one store learns of the server's health, all know. */
export function connectionOf(client: PostgresClient, schema: string | undefined): Connection {
  const bySchema = connections.get(client) ?? new Map<string, Connection>()
  connections.set(client, bySchema)
  let connection = bySchema.get(schema ?? '')
  if (connection === undefined) {
    connection = new Connection(client, schema)
    bySchema.set(schema ?? '', connection)
  }
  return connection
}
