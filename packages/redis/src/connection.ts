// Not the global one: a test of the app that fakes it must not see this.
import { setTimeout } from 'node:timers'
import { UnavailableError } from '@countersign/core'
import { isUnavailable, ServerClock, withDeadline } from '@countersign/core/gate-kit'
import { adviseOnStart } from './advise-on-connection.js'
import { clientOptions, clientTimeoutMs, isCluster, type RedisClient } from './client.js'
import { EVICTS } from './eviction.js'
import { commandOf, probeScript, type RedisScript } from './script.js'
import { WriteBatch } from './write-batch.js'

/** One server as seen through one client: on a cluster each hash tag has its own. */
interface Lane {
  readonly clock: ServerClock
  /** The server's `maxmemory-policy`, as the last probe read it; empty when it may not be known. */
  policy: string
  /** A call missed its deadline, and nothing has answered since. */
  isSuspect: boolean
  probe: Promise<void> | undefined
}

/** Who calls, and on what terms. */
export interface Caller {
  /** What its `UnavailableError`s name. */
  readonly dependency: string
  /** Milliseconds that a call may take. */
  readonly commandTimeoutMs: number
  readonly dangerouslyAllowEviction: boolean
  readonly reconnectOnReadonly: boolean
}

/** What becomes of a reply that comes after the deadline: the script ran in time, and nobody knew. */
export interface LateReply {
  /** Milliseconds that the reply, not the script, may take beyond the deadline. Default 0. */
  readonly patienceMs?: number | undefined
  /**
   * Called before a call fails whose script may have run: the outcome is unknown. `answer` settles with the reply, if one
   * comes.
   */
  readonly onUnknown?: ((answer: Promise<unknown>) => void) | undefined
}

/** A script, and what it is called with. */
export interface ScriptCall {
  readonly script: RedisScript
  readonly keys: readonly string[]
  readonly args: readonly (string | number | Buffer)[]
  readonly late?: LateReply | undefined
}

/** How often a call that came too late for want of time of its own process may go again. */
const MOST_ROUNDS = 3
/** Room for the reply's way back: a script that starts later than this before the caller's deadline does nothing. */
const REPLY_MARGIN = 0.1
/** A client that meets a replica connects again at most so often. */
const RECONNECT_MS = 5000
/** What a replica answers to a script that writes. */
const IS_REPLICA = /\b(READONLY|MASTERDOWN)\b/
/** Advice comes when the app has started, and off the way of its first requests. */
const ADVICE_MS = 1000

/**
 * Calls scripts over a client that the app owns, each with a deadline of its own. Nothing is sent unless the client is
 * ready; after a missed deadline nothing but a probe is sent until that answers.
 */
export class Connection {
  readonly #redis: RedisClient
  readonly #batch: WriteBatch
  readonly #lanes = new Map<string, Lane>()
  #opening: Promise<void> | undefined
  /** A call missed its deadline while it waited for that. */
  #isOpeningLate = false
  #reconnectedMs = Number.NEGATIVE_INFINITY
  #isAdvised = false

  constructor(redis: RedisClient) {
    this.#redis = redis
    this.#batch = new WriteBatch(redis)
    // Another server may answer after a reconnect, with another clock.
    const forget = () => {
      for (const lane of this.#lanes.values()) lane.clock.forget()
    }
    redis.on('close', forget)
    if (isCluster(redis)) redis.on('+node', forget)
  }

  /**
   * Runs a script; `tag` is the hash tag that all its keys share.
   *
   * @throws {UnavailableError} when the server cannot be asked, did not answer in time, or refused.
   */
  call(caller: Caller, tag: string, request: ScriptCall): Promise<unknown> {
    const untilMs = this.#untilMs(caller)
    const lane = this.#lane(tag)
    const send = () => this.#send(lane, request, untilMs)
    const fail = (error: unknown) => {
      if (caller.reconnectOnReadonly && IS_REPLICA.test((error as Error).message)) this.#reconnect()
      throw isUnavailable(error) && !error.isTimeout ? error : unavailable(caller.dependency, error)
    }
    const isOpen = this.#redis.status === 'ready' && isGood(lane, caller)
    if (!isOpen)
      return this.#untilOpen(lane, request.keys[0] ?? tag, untilMs, caller)
        .then(send)
        .catch(fail)
    try {
      return send().catch(fail)
    } catch (error) {
      return Promise.reject(unavailable(caller.dependency, error))
    }
  }

  /** Calls `write` as the last thing before the commands of this turn of the event loop go out. */
  atLast(write: () => void): void {
    this.#batch.atLast(write)
  }

  /**
   * Settles when the server of a hash tag answers and may be used.
   *
   * @throws {UnavailableError}
   */
  async ready(caller: Caller, tag: string): Promise<void> {
    try {
      await this.#untilOpen(this.#lane(tag), tag, this.#untilMs(caller), caller)
    } catch (error) {
      throw isUnavailable(error) && !error.isTimeout ? error : unavailable(caller.dependency, error)
    }
  }

  /** What the client gives up on must be too late for the server as well. */
  #untilMs({ commandTimeoutMs }: Caller): number {
    return performance.now() + Math.min(commandTimeoutMs, clientTimeoutMs(this.#redis))
  }

  /** The connection is to a replica: resolving the address again may find the primary. */
  #reconnect(): void {
    const nowMs = performance.now()
    // A client that gives up after a lost connection would be lost for good.
    const isLasting = typeof clientOptions(this.#redis).retryStrategy === 'function'
    if (!isLasting || nowMs - this.#reconnectedMs < RECONNECT_MS) return
    this.#reconnectedMs = nowMs
    ;(this.#redis as { disconnect?: (reconnect: boolean) => void }).disconnect?.(true)
  }

  #lane(tag: string): Lane {
    const name = isCluster(this.#redis) ? tag : ''
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { clock: new ServerClock(), policy: '', isSuspect: false, probe: undefined }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  async #untilOpen(lane: Lane, key: string, untilMs: number, caller: Caller): Promise<void> {
    await this.#untilReady(untilMs)
    // A server that was seen to evict is asked again: its setting may have been mended.
    if (!isGood(lane, caller)) await this.#untilProbed(lane, key, untilMs)
    if (isGood(lane, caller)) return
    throw new UnavailableError(
      caller.dependency,
      `maxmemory-policy is ${lane.policy}: ${EVICTS.danger}. ${EVICTS.remedy}`,
    )
  }

  async #untilReady(untilMs: number): Promise<void> {
    const { status } = this.#redis
    if (status === 'ready') return
    if (status !== 'wait' && status !== 'connecting' && status !== 'connect') throw new Error(`the client is ${status}`)
    // A server may take the connection and then say nothing for hours: no other call waits for it.
    if (this.#isOpeningLate) throw new Error('the client has not connected since a missed deadline')
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
      this.#isOpeningLate = false
    })
    try {
      await withDeadline(this.#opening, untilMs - performance.now(), 'the connection to Redis')
    } catch (error) {
      this.#isOpeningLate = this.#opening !== undefined
      throw error
    }
  }

  #open(): Promise<void> {
    const redis = this.#redis
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => () => {
        redis.off('ready', onReady).off('close', onClose).off('end', onClose)
        finish()
      }
      const onReady = settle(resolve)
      const onClose = settle(() => reject(new Error('the connection closed')))
      redis.on('ready', onReady).on('close', onClose).on('end', onClose)
    })
  }

  async #untilProbed(lane: Lane, key: string, untilMs: number): Promise<void> {
    if (lane.isSuspect && lane.probe !== undefined)
      throw new Error('the server has not answered since a missed deadline')
    try {
      await withDeadline(this.#probe(lane, key), untilMs - performance.now(), 'a probe of Redis')
    } catch (error) {
      if (isMissedDeadline(error)) lane.isSuspect = true
      throw error
    }
  }

  /** One probe at a time; it has no deadline of its own: it is what waits for a stopped server to continue. */
  #probe(lane: Lane, key: string): Promise<void> {
    lane.probe ??= this.#execute(lane, { script: probeScript, keys: [key], args: [] }, Number.MAX_SAFE_INTEGER)
      .then((policy) => {
        lane.isSuspect = false
        lane.policy = String(policy)
        this.#advise()
      })
      .finally(() => {
        lane.probe = undefined
      })
    lane.probe.catch(() => undefined)
    return lane.probe
  }

  /** Once, at the start: what loses data or hangs is said without being asked. */
  #advise(): void {
    if (this.#isAdvised) return
    this.#isAdvised = true
    setTimeout(() => {
      if (this.#redis.status === 'ready') adviseOnStart(this.#redis).catch(() => undefined)
    }, ADVICE_MS).unref()
  }

  #send(lane: Lane, request: ScriptCall, untilMs: number, rounds = MOST_ROUNDS): Promise<unknown> {
    const { late } = request
    const askedMs = performance.now()
    const remainingMs = untilMs - askedMs
    const deadline = lane.clock.at(untilMs - remainingMs * REPLY_MARGIN)
    const turn = this.#batch.open()
    const reply = this.#execute(lane, request, deadline)
    return withDeadline(reply, remainingMs + (late?.patienceMs ?? 0), request.script.name).catch((error: unknown) => {
      if (error instanceof TooLateError && rounds > 0) {
        // It did nothing, for certain: so it may go again in what is left once the app's own stall is taken off.
        const againUntilMs = untilMs + ((turn.writtenMs ?? askedMs) - askedMs)
        if (againUntilMs > performance.now()) return this.#send(lane, request, againUntilMs, rounds - 1)
      }
      if (isMissedDeadline(error)) {
        lane.isSuspect = true
        void this.#probe(lane, request.keys[0] as string)
      }
      // An error that the server answered is an outcome. One that came too late is none: a resent command may say so.
      if ((error as Error).name !== 'ReplyError') late?.onUnknown?.(reply)
      throw error
    })
  }

  #execute(lane: Lane, { script, keys, args }: ScriptCall, deadline: number): Promise<unknown> {
    this.#batch.open()
    const sentMs = performance.now()
    return commandOf(this.#redis, script)(keys.length, ...keys, deadline, ...args).then((reply) => {
      const [serverMs, result] = reply as [number, unknown]
      lane.clock.learn(Math.abs(serverMs), sentMs, performance.now())
      if (serverMs < 0) throw new TooLateError(`${script.name} reached the server too late and did nothing`)
      return result
    })
  }
}

/** A script reached the server after its deadline: it did nothing, and will do nothing. */
class TooLateError extends Error {}

/** Whether the server answers, and keeps what the caller entrusts to it. */
function isGood({ clock, isSuspect, policy }: Lane, { dangerouslyAllowEviction }: Caller): boolean {
  return clock.isKnown && !isSuspect && (dangerouslyAllowEviction || policy === 'noeviction' || policy === '')
}

/** Our own, or the one that ioredis makes of the client's `commandTimeout`. */
function isMissedDeadline(error: unknown): boolean {
  return (isUnavailable(error) && error.isTimeout) || (error as { message?: unknown }).message === 'Command timed out'
}

function unavailable(dependency: string, cause: unknown): UnavailableError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new UnavailableError(dependency, `Redis is unavailable: ${why}`, {
    cause,
    isTimeout: isMissedDeadline(cause),
  })
}

const connections = new WeakMap<RedisClient, Connection>()

/** The one connection of a client: what one store learns of the server's health, all know. */
export function connectionOf(redis: RedisClient): Connection {
  let connection = connections.get(redis)
  if (connection === undefined) {
    connection = new Connection(redis)
    connections.set(redis, connection)
  }
  return connection
}
