import type { Clock } from '@countersign/core'
import { LruMap } from '@countersign/core/gate-kit'
import { type Circuit, createCircuit } from '../http/circuit.js'
import type { FetchError } from '../http/request.js'

/**
 * Questions to one endpoint with a limit and a circuit of their own. Tokens that were active before, or whose signature is
 * verified, have one lane and all others another: who sends made-up tokens shuts out only those. `holder` is whose token it
 * is, if that is known: whose tokens make the endpoint fail or hang shuts out only himself.
 */
export interface Lane {
  /** Starts a question, or says why none may be asked now. */
  start(holder: string | undefined): 'circuit' | 'bulkhead' | undefined
  succeeded(): void
  failed(error: FetchError, holder: string | undefined): void
  ended(holder: string | undefined): void
  /** Seconds until the endpoint may be asked, at least 1. */
  retryAfterSeconds(holder: string | undefined): number
}

const CIRCUIT = { threshold: 5, baseMs: 1000, maxMs: 15_000 }
const MAX_HOLDERS = 1000

/** Makes a lane of at most `maxConcurrent` questions, half of them for one holder. */
export function createLane(clock: Clock, maxConcurrent: number): Lane {
  const circuit = createCircuit(clock, CIRCUIT)
  /** Of those whose tokens made the endpoint fail since it last answered. */
  const ofHolders = new LruMap<string, Circuit>(MAX_HOLDERS)
  const openOfHolders = new Map<string, number>()
  let open = 0
  const openOf = (holder: string | undefined) => (holder === undefined ? 0 : (openOfHolders.get(holder) ?? 0))
  const ofHolder = (holder: string | undefined) => (holder === undefined ? undefined : ofHolders.get(holder))

  return {
    start(holder) {
      if (!circuit.mayTry() || ofHolder(holder)?.mayTry() === false) return 'circuit'
      if (open >= maxConcurrent || openOf(holder) >= Math.ceil(maxConcurrent / 2)) return 'bulkhead'
      open += 1
      if (holder !== undefined) openOfHolders.set(holder, openOf(holder) + 1)
      return undefined
    },
    succeeded() {
      ofHolders.clear()
      circuit.succeeded()
    },
    failed(error, holder) {
      if (!concernsAll(error)) return
      const own = ofHolder(holder)
      own?.failed()
      // One holder's tokens can make an endpoint fail again and again: that says nothing of the others'.
      if (own !== undefined) return
      circuit.failed()
      // Once it has opened, each next failure counts again.
      if (!circuit.mayTry()) ofHolders.clear()
      else if (holder !== undefined) ofHolders.set(holder, failedOnce(clock))
    },
    ended(holder) {
      open -= 1
      if (holder === undefined) return
      const left = openOf(holder) - 1
      if (left > 0) openOfHolders.set(holder, left)
      else openOfHolders.delete(holder)
    },
    retryAfterSeconds: (holder) => Math.max(circuit.retryAfterSeconds(), ofHolder(holder)?.retryAfterSeconds() ?? 1),
  }
}

function failedOnce(clock: Clock): Circuit {
  const circuit = createCircuit(clock, CIRCUIT)
  circuit.failed()
  return circuit
}

/**
 * Whether the next token would have the same result. What one token alone can cause, such as a 400 or an answer that is too
 * large, must not lock out all other tokens.
 */
export function concernsAll({ status }: FetchError): boolean {
  return status === undefined || status >= 500 || OF_ALL.includes(status)
}

/** Our credentials, the place, the rate. */
const OF_ALL = [401, 403, 404, 429]
