import type { Answer } from './answer.js'
import { titleOf } from './problem.js'
import type { Refusal } from './verdict.js'

/**
 * What a gate with `onDenied: 'next'` passes on, in the shape of the http-errors package, so that Express's own and
 * most error handlers answer with the right status and headers.
 */
export class AccessDeniedError extends Error {
  override readonly name = 'AccessDeniedError'
  /** The HTTP status of the answer. */
  readonly status: number
  /** The same, under the name that some error handlers read. */
  readonly statusCode: number
  /** The header fields of the answer, such as `WWW-Authenticate`. */
  readonly headers: Answer['headers']
  /** `ERR_COUNTERSIGN_ACCESS_DENIED`, `ERR_COUNTERSIGN_ACCESS_UNAVAILABLE`, or `ERR_COUNTERSIGN_GATE_FAILED` for a bug. */
  readonly code: string
  /** Whether `message` may be shown to the client. */
  readonly expose: boolean
  /** The gate's reason: for logs. Not enumerable, so that a careless `res.json(err)` does not reveal it to the client. */
  declare readonly reason: string
  /** The answer that the gate would have sent. */
  declare readonly answer: Answer

  constructor(refusal: Refusal, answer: Answer) {
    super(titleOf(answer.status), refusal.outcome === 'failed' ? { cause: refusal.error } : undefined)
    this.status = answer.status
    this.statusCode = answer.status
    this.headers = answer.headers
    this.code = CODES[refusal.outcome]
    this.expose = answer.status < 500
    Object.defineProperty(this, 'reason', { value: reasonOf(refusal) })
    Object.defineProperty(this, 'answer', { value: answer })
  }
}

const CODES = {
  denied: 'ERR_COUNTERSIGN_ACCESS_DENIED',
  unavailable: 'ERR_COUNTERSIGN_ACCESS_UNAVAILABLE',
  failed: 'ERR_COUNTERSIGN_GATE_FAILED',
} as const

function reasonOf(refusal: Refusal): string {
  if (refusal.outcome === 'failed') return 'internal_error'
  return refusal.outcome === 'denied' ? refusal.reason : refusal.dependency
}
