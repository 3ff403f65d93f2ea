import type { EventEmitter } from 'node:events'
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { within } from '../async.js'
import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { type Audit, audit as processAudit } from './emitter.js'

/** Options of {@link shutdown}. */
export interface ShutdownOptions {
  /** The emitter that the gates report to. Default: the one of the process. */
  readonly audit?: Audit | undefined
  /** Seconds that requests have to end. Default 10. */
  readonly graceSeconds?: number | undefined
}

type ClosableServer = EventEmitter & Pick<HttpServer, 'close' | 'closeIdleConnections' | 'closeAllConnections'>

const RULES = {
  server: option.port<ClosableServer>('an HTTP or HTTPS server', 'close', 'on').required(),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'close'),
  graceSeconds: option.integer(0, 86_400).default(10),
}

/** Connections that are kept alive become idle one by one. */
const IDLE_MS = 50

/**
 * Ends an app without losing an event: stops accepting connections, lets requests end within `graceSeconds`, cuts those that
 * have not, writes what waits for the sinks and closes them. Then it resolves, and the app exits. Sockets that are not
 * requests any more, as WebSockets are, are the app's to end.
 *
 * @throws {OptionError}
 * @example
 * process.once('SIGTERM', async () => {
 *   await shutdown(server, { graceSeconds: 10 })
 *   process.exit()
 * })
 */
export async function shutdown(server: HttpServer | HttpsServer, options: ShutdownOptions = {}): Promise<void> {
  const {
    server: running,
    audit = processAudit,
    graceSeconds,
  } = resolveOptions('shutdown', { ...options, server }, RULES)
  const closed = new Promise<void>((resolve) => running.close(() => resolve()))
  running.prependListener('request', endConnection)
  // An HTTP/2 server has no such methods.
  const sweep = setInterval(() => running.closeIdleConnections?.(), IDLE_MS)
  await within(closed, graceSeconds * 1000).finally(() => clearInterval(sweep))
  running.closeAllConnections?.()
  await audit.close()
}

/** A client with a kept connection goes elsewhere with its next request. */
function endConnection(request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor === 1) response.setHeader('Connection', 'close')
}
