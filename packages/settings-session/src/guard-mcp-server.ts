import { type Audit, audit as defaultAudit } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { reportChange } from './events.js'
import { holdsToken } from './leaks/token-scanner.js'

/** Options of {@link guardMcpServer}. */
export interface GuardMcpServerOptions {
  /** Default: the process-wide emitter, `audit`. */
  readonly audit?: Audit | undefined
}

/** What {@link guardMcpServer} needs of a server of the MCP SDK, version 1 or 2. */
export interface ConnectableServer {
  connect(transport: never): Promise<void>
}

/** A transport of the MCP SDK, as far as it is looked at. */
interface SendingTransport {
  send(message: JsonRpcMessage, ...rest: unknown[]): Promise<void>
}

/** A message of JSON-RPC 2.0. */
interface JsonRpcMessage {
  readonly id?: unknown
  readonly method?: unknown
}

const RULES = {
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
}

/**
 * Gives an MCP server the check of {@link leakGuard}, over every transport: no result of a tool, text of an error, resource,
 * prompt, progress or log message takes a link or a session token to the agent. A response becomes a JSON-RPC error without
 * detail, a notification is dropped, a request of the server rejects; each with an audit event. Call it before the server is
 * connected; it returns the server.
 *
 * @throws {OptionError} for a wrong option.
 * @example
 * const server = guardMcpServer(new McpServer({ name: 'settings', version: '1.0.0' }))
 */
export function guardMcpServer<S extends ConnectableServer>(server: S, options: GuardMcpServerOptions = {}): S {
  const { audit } = resolveOptions('guardMcpServer', options, RULES)
  const connect = server.connect as (transport: SendingTransport, ...rest: unknown[]) => Promise<void>
  server.connect = (transport: SendingTransport, ...rest: unknown[]) => {
    guardTransport(transport, audit)
    return connect.call(server, transport, ...rest)
  }
  return server
}

function guardTransport(transport: SendingTransport, audit: Audit): void {
  const send = transport.send
  transport.send = async (message, ...rest) => {
    if (!holdsToken(JSON.stringify(message) ?? '')) return send.call(transport, message, ...rest)
    reportChange(audit, 'settings.leak.stopped', { attributes: { where: 'mcp' } })
    if (message.method === undefined) {
      const error = { code: INTERNAL_ERROR, message: 'Internal error' }
      return send.call(transport, { jsonrpc: '2.0', id: message.id, error } as JsonRpcMessage, ...rest)
    }
    if (message.id !== undefined) throw new Error('guardMcpServer has stopped this request: it contained a link')
  }
}

/** JSON-RPC 2.0 §5.1. */
const INTERNAL_ERROR = -32_603
