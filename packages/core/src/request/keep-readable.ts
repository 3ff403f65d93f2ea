import type { IncomingMessage } from 'node:http'

/**
 * Says of a body that nobody has read that it can be read, as a stream does. `@codegenie/serverless-express` declares a
 * request unreadable when the app does not answer in the same tick, and Express's parsers skip its body then.
 */
export function keepReadable(request: IncomingMessage): void {
  if (request.readable !== false) return
  if (!request.readableEnded && !request.destroyed && request.errored === null) request.readable = true
}
