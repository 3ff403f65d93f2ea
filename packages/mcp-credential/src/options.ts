import type { GateOptions } from '@countersign/core'
import { gateOptionRules, option, resolveOptions } from '@countersign/core/gate-kit'
import type { McpCredentials } from './create-mcp-credentials.js'
import { McpSessions } from './gate/mcp-sessions.js'
import { StreamWatch } from './gate/stream-watch.js'
import { compileTools, type ToolRules, toolsOption } from './gate/tools.js'
import type { McpCredentialDependency, McpCredentialReason } from './reasons.js'

export interface RequireMcpCredentialOptions extends GateOptions<McpCredentialReason, McpCredentialDependency> {
  /** What `createMcpCredentials` made. */
  readonly credentials: McpCredentials
  /**
   * Tool-name patterns (`*` stands for any text) and what each needs: `{ 'preview_*': 'preview' }`. Every matching
   * pattern counts; a tool that none matches is refused. Needs a parsed body: mount `express.json()` before the gate.
   * Left out, every tool may be called.
   */
  readonly tools?: ToolRules
  /** How a missing capability is answered: 403 with a challenge (default), or a JSON-RPC error that the model reads. */
  readonly denyAs?: 'http' | 'jsonrpc'
  /** Takes the credential out of the request once it is checked. Default true. */
  readonly stripHeader?: boolean
  /** Sets `req.auth` in the shape of the MCP SDK's `AuthInfo`. Default true. */
  readonly attachAuthInfo?: boolean
  /** Milliseconds between two looks at the credential of an open stream, default 5000. */
  readonly recheckMs?: number
}

const rules = {
  ...gateOptionRules,
  credentials: option
    .port<McpCredentials>('what createMcpCredentials() made', 'resolve', 'check', 'onRevoked')
    .required(),
  tools: toolsOption,
  denyAs: option.oneOf('http', 'jsonrpc').default('http'),
  stripHeader: option.boolean().default(true),
  attachAuthInfo: option.boolean().default(true),
  recheckMs: option.integer(10, 3_600_000).default(5000),
}

/** The options with their defaults. */
export type ResolvedGateOptions = ReturnType<typeof resolveGateOptions>

/** @throws {OptionError} */
export function resolveGateOptions(options: RequireMcpCredentialOptions) {
  const resolved = resolveOptions('requireMcpCredential', options, rules)
  const { tools } = resolved
  const sessions = new McpSessions()
  const streams = new StreamWatch(resolved.credentials, resolved.recheckMs)
  return { ...resolved, sessions, streams, capabilitiesOf: tools === undefined ? undefined : compileTools(tools) }
}
