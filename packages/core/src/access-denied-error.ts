import { type Answer, titleOf } from './answer.js'
import type { Denied, Unavailable } from './verdict.js'

/**
 * What a gate with `onDenied: 'next'` passes on, in the shape of the http-errors package, so that Express's own and
 * most error handlers answer with the right status and headers.
 */
export class AccessDeniedError extends Error {
  override readonly name = 'AccessDeniedError'
  readonly status: number
  readonly statusCode: number
  readonly headers: Answer['headers']
  /** `ERR_ACCESS_DENIED`, `ERR_ACCESS_UNAVAILABLE`, or `ERR_GATE_FAILED` for a bug. */
  readonly code: string
  /** Whether `message` may be shown to the client. */
  readonly expose: boolean
  /** The gate's reason: for logs. Not enumerable, so that a careless `res.json(err)` does not tell the client. */
  declare readonly reason: string
  /** The answer that the gate would have sent. */
  declare readonly answer: Answer

  constructor(answer: Answer, reason: string, code: string, cause?: unknown) {
    super(titleOf(answer.status), cause === undefined ? undefined : { cause })
    this.status = answer.status
    this.statusCode = answer.status
    this.headers = answer.headers
    this.code = code
    this.expose = answer.status < 500
    Object.defineProperty(this, 'reason', { value: reason })
    Object.defineProperty(this, 'answer', { value: answer })
  }

  static of(verdict: Denied<string> | Unavailable<string>, answer: Answer): AccessDeniedError {
    return verdict.outcome === 'denied'
      ? new AccessDeniedError(answer, verdict.reason, 'ERR_ACCESS_DENIED')
      : new AccessDeniedError(answer, verdict.dependency, 'ERR_ACCESS_UNAVAILABLE')
  }
}
