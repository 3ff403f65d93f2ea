import type { Writable } from 'node:stream'
// Not the global one: a test that fakes it would hold back all that its app asks of Redis.
import { setImmediate } from 'node:timers'
import { isCluster, type RedisClient } from './client.js'

/** One turn of the event loop, and when its commands were written: late, when the app blocked the loop. */
export interface Turn {
  writtenMs: number | undefined
}

/**
 * Lets the commands of all requests that one turn of the event loop brings go out in one write: a write of its own costs
 * more than all the rest of a command. The server reads them at once, too, and so its replies come back together.
 */
export class WriteBatch {
  readonly #redis: RedisClient
  #turn: Turn | undefined
  #last: (() => void)[] = []

  constructor(redis: RedisClient) {
    this.#redis = redis
  }

  /** What is written from now on goes out once the requests that are waiting to be read have been. */
  open(): Turn {
    if (this.#turn !== undefined) return this.#turn
    const held = streamsOf(this.#redis)
    const turn: Turn = { writtenMs: undefined }
    this.#turn = turn
    for (const stream of held) stream.cork()
    setImmediate(() => {
      const last = this.#last
      this.#last = []
      for (const write of last) write()
      this.#turn = undefined
      turn.writtenMs = performance.now()
      for (const stream of held) stream.uncork()
    })
    return turn
  }

  /** Calls `write` as the last thing before this turn's commands go out; what it writes goes with them. */
  atLast(write: () => void): void {
    this.open()
    this.#last.push(write)
  }
}

function streamsOf(redis: RedisClient): readonly Writable[] {
  const nodes = isCluster(redis) ? redis.nodes('master') : [redis]
  // A client that is not connected has none.
  return nodes.flatMap(({ stream }) => stream ?? [])
}
