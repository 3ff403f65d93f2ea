/** A mistake in the order of middleware: the bytes that are signed are gone. */
export class BodyConsumedError extends Error {
  readonly code = 'ERR_HMAC_BODY_CONSUMED'
  override readonly name = 'BodyConsumedError'
  constructor() {
    super(
      'requireHmac: the request body was read before the gate, so the signed bytes are gone. Mount requireHmac before ' +
        `express.json() and every other parser, or set body: 'rawBody' when the platform keeps the bytes in req.rawBody.`,
    )
  }
}
