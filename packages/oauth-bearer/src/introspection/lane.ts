import type { Clock } from '@countersign/core'
import { createCircuit } from '../http/circuit.js'
import type { FetchError } from '../http/request.js'

/**
 * Questions to one endpoint with a limit and a circuit of their own. Tokens that were active before, or whose signature is
 * verified, have one lane and all others another: who sends made-up tokens shuts out only those.
 */
export interface Lane {
  /** Starts a question, or says why none may be asked now. */
  start(): 'circuit' | 'bulkhead' | undefined
  succeeded(): void
  /** `holder`: whose token it was, if that is known. */
  failed(error: FetchError, holder: string | undefined): void
  ended(): void
  /** Seconds until the endpoint may be asked, at least 1. */
  retryAfterSeconds(): number
}

/** Makes a lane of at most `maxConcurrent` questions. */
export function createLane(clock: Clock, maxConcurrent: number): Lane {
  const circuit = createCircuit(clock, { threshold: 5, baseMs: 1000, maxMs: 15_000 })
  /** Whose tokens made the endpoint fail since it last answered. */
  const holders = new Set<string>()
  let open = 0
  return {
    start() {
      if (!circuit.mayTry()) return 'circuit'
      if (open >= maxConcurrent) return 'bulkhead'
      open += 1
      return undefined
    },
    succeeded() {
      holders.clear()
      circuit.succeeded()
    },
    failed(error, holder) {
      if (!concernsAll(error)) return
      // One holder's tokens can make an endpoint fail again and again: that says nothing of the others'.
      if (holder !== undefined && (error.status ?? 0) >= 500) {
        if (holders.has(holder)) return
        if (holders.size < MAX_HOLDERS) holders.add(holder)
      }
      circuit.failed()
      // Once it has opened, each next failure counts again.
      if (!circuit.mayTry()) holders.clear()
    },
    ended() {
      open -= 1
    },
    retryAfterSeconds: () => circuit.retryAfterSeconds(),
  }
}

const MAX_HOLDERS = 1000

/**
 * Whether the next token would have the same result. What one token alone can cause, such as a 400 or an answer that is too
 * large, must not lock out all other tokens.
 */
export function concernsAll({ status }: FetchError): boolean {
  return status === undefined || status >= 500 || OF_ALL.includes(status)
}

/** Our credentials, the place, the rate. */
const OF_ALL = [401, 403, 404, 429]
