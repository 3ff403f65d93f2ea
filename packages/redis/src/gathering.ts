import { isUnavailable } from '@countersign/core/gate-kit'
import { isCluster, type RedisClient } from './client.js'
import type { ScriptCall } from './connection.js'
import type { SharedScript } from './script.js'

type Argument = string | number | Buffer

/** Calls of one script that go out together. */
interface Bunch {
  readonly script: SharedScript
  /** The hash tag of the keys; of the first call's, where it does not matter. */
  readonly tag: string
  readonly keys: string[]
  readonly args: Argument[]
  readonly waiting: Waiting[]
}

interface Waiting {
  readonly tag: string
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What a gathering sends through. */
interface Way {
  call(tag: string, request: ScriptCall): Promise<unknown>
  /** Calls back as the last thing before the commands of this turn of the event loop go out. */
  atLast(write: () => void): void
}

/** Calls that one command takes: all others of the server wait for as long as it runs. */
const MOST = 32
/** What one call's records may do to a whole command: such a call is sent alone. */
const IS_OF_ONE = /\bWRONGTYPE\b|attempt to |bad argument /
/** A cluster's node words it so, and proxies before one as they like. */
const NAMES_SLOTS = /\bCROSSSLOT\b|same slot/i

/** Whether the server refused a command, for a store, because its keys lie in several slots: it has some, which its client may not know. */
export function isCrossSlot(error: unknown): boolean {
  return isUnavailable(error) && NAMES_SLOTS.test(String((error.cause as Error | undefined)?.message))
}

/**
 * Sends the calls of a script that one turn of the event loop brings in one command. To send, to read and to answer a command
 * costs client and server more than a short script does.
 */
export class Gathering {
  readonly #way: Way
  readonly #bunches: Bunch[] = []
  /** A command takes keys of one slot alone. */
  #hasSlots: boolean

  constructor(redis: RedisClient, way: Way) {
    this.#way = way
    this.#hasSlots = isCluster(redis)
  }

  /** Runs a shared script, on its keys and arguments alone, and settles with its own result. */
  ask(script: SharedScript, tag: string, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // A number too few would give each call behind it the answer to another.
      if (keys.length !== script.keys || args.length !== script.args) {
        throw new TypeError(
          `${script.name} takes ${script.keys} keys and ${script.args} arguments, and got ${keys.length} and ${args.length}`,
        )
      }
      const bunch = this.#bunchOf(script, tag)
      for (const key of keys) bunch.keys.push(key)
      for (const arg of args) bunch.args.push(arg)
      bunch.waiting.push({ tag, resolve, reject })
      if (bunch.waiting.length === MOST) this.#send(this.#bunches.indexOf(bunch))
    })
  }

  #bunchOf(script: SharedScript, tag: string): Bunch {
    for (const bunch of this.#bunches) {
      if (bunch.script === script && (!this.#hasSlots || bunch.tag === tag)) return bunch
    }
    if (this.#bunches.length === 0) this.#way.atLast(() => this.#sendAll())
    const bunch = { script, tag, keys: [], args: [], waiting: [] }
    this.#bunches.push(bunch)
    return bunch
  }

  #sendAll(): void {
    while (this.#bunches.length > 0) this.#send(0)
  }

  #send(index: number): void {
    const [bunch] = this.#bunches.splice(index, 1) as [Bunch]
    const { script, tag, keys, args, waiting } = bunch
    this.#way
      .call(tag, { script, keys, args })
      .then(
        (results) => {
          const answers = answersIn(results, waiting.length, script)
          for (const [at, { resolve }] of waiting.entries()) resolve(answers[at])
        },
        (error: unknown) => this.#failed(bunch, error),
      )
      .catch((error: unknown) => {
        for (const { reject } of waiting) reject(error)
      })
  }

  #failed({ script, keys, args, waiting }: Bunch, error: unknown): void {
    const answer = String(((error as Error).cause as Error | undefined)?.message)
    // A server that is no cluster's to its client may be one all the same, behind a proxy.
    const isOfSlots = isCrossSlot(error)
    if (isOfSlots) this.#hasSlots = true
    const isOfOne = waiting.length > 1 && (isOfSlots || IS_OF_ONE.test(answer))
    for (const [at, { tag, resolve, reject }] of waiting.entries()) {
      if (!isOfOne) {
        reject(error)
        continue
      }
      const own = { keys: part(keys, at, script.keys), args: part(args, at, script.args) }
      this.#way
        .call(tag, { script, ...own })
        .then((results) => resolve(answersIn(results, 1, script)[0]))
        .catch(reject)
    }
  }
}

/** The answers of a command, one for each call, in their order. */
function answersIn(results: unknown, count: number, { name }: SharedScript): readonly unknown[] {
  if (Array.isArray(results) && results.length === count) return results
  throw new TypeError(`${name} answered ${count} calls with something else than ${count} answers`)
}

function part<T>(list: readonly T[], at: number, length: number): readonly T[] {
  return list.slice(at * length, (at + 1) * length)
}
