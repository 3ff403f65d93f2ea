import { emitWarning } from 'node:process'

/** A mistake in the order of middleware: the bytes that are signed are gone. */
export class BodyConsumedError extends Error {
  readonly code = 'ERR_COUNTERSIGN_HMAC_BODY_CONSUMED'
  override readonly name = 'BodyConsumedError'
  constructor() {
    super(
      'requireHmac: the request body was read before the gate, so the signed bytes are gone. Mount requireHmac before ' +
        `express.json() and every other parser, or set body: 'rawBody' when the platform keeps the bytes in req.rawBody.`,
    )
  }
}

let isWarned = false

/**
 * The error, and once a process a warning: the answer has no detail and the event no message, and whoever ordered the
 * middleware must still learn of it.
 */
export function bodyConsumed(): BodyConsumedError {
  const error = new BodyConsumedError()
  if (!isWarned) emitWarning(error.message, { code: error.code })
  isWarned = true
  return error
}
