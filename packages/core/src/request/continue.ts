import type { IncomingMessage, ServerResponse } from 'node:http'

/** A server that leaves `Expect: 100-continue` to its app, with a listener for `checkContinue`. */
interface LeavesContinue {
  listenerCount(event: 'checkContinue'): number
}

/** The response that Express puts on a request. `_sent100` is Node's own note that 100 was sent; HTTP/2 has none. */
interface WithResponse {
  readonly res?: (ServerResponse & { readonly _sent100?: boolean }) | undefined
  readonly socket?: { readonly server?: LeavesContinue | undefined } | null | undefined
}

/**
 * Asks a client that waits with `Expect: 100-continue` (RFC 9110 §10.1.1) for its body, where the server leaves that to the app
 * and the app has not done it. Everywhere else Node has asked before the app sees the request.
 */
export function askForBody(request: IncomingMessage): void {
  if (request.headers?.expect?.toLowerCase() !== '100-continue') return
  const { res, socket } = request as WithResponse
  if (res === undefined || res._sent100 === true || res.headersSent) return
  if ((socket?.server?.listenerCount('checkContinue') ?? 0) > 0) res.writeContinue()
}
