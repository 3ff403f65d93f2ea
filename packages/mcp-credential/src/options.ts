import { type GateOptions, OptionError } from '@countersign/core'
import { DEFAULT_MAX_BODY_BYTES } from '@countersign/core/body'
import { gateOptionRules, type OptionAliases, option, resolveOptions } from '@countersign/core/gate-kit'
import type { McpCredentialDependency, McpCredentialReason } from './reasons.js'
import { capabilitiesOption } from './registry/issue-options.js'
import type { McpCredentials } from './registry.js'
import { type CapabilitiesOf, compileTools, isToolRules, type ToolRules } from './tools/rules.js'

/** Options of `requireMcpCredential`. */
export interface RequireMcpCredentialOptions extends GateOptions<McpCredentialReason, McpCredentialDependency> {
  /** What `createMcpCredentials` made. */
  readonly credentials: McpCredentials
  /**
   * Tool-name patterns (`*` stands for any text) and what each needs: `{ 'preview_*': 'preview' }`. Every matching
   * pattern counts; a tool that none matches is refused. The gate reads the body and feeds it back, so it stands before or
   * after `express.json()`. Left out, every tool may be called, and no body is read.
   */
  readonly tools?: ToolRules | undefined
  /** With `tools` behind `optional()`: what a caller without a credential may do. Default: nothing. */
  readonly anonymousCapabilities?: readonly string[] | undefined
  /** With `tools`, or `deadAs: 'jsonrpc'`: the longest body that is read, once the credential is proven. Default 4 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** How a missing capability is answered: 403 with a challenge (default), or a JSON-RPC error that the model reads. */
  readonly denyAs?: 'http' | 'jsonrpc' | undefined
  /**
   * How a *proven* credential that has ended is answered: 401 (default), or a JSON-RPC error with the reason and what to do.
   * Some agents, Claude Code and Codex among them, show their model nothing of a 401.
   */
  readonly deadAs?: 'http' | 'jsonrpc' | undefined
  /** Removes the credential from the request once it is checked. Default true. */
  readonly stripHeader?: boolean | undefined
  /** Sets `req.auth` in the shape of the MCP SDK's `AuthInfo`. Default true. */
  readonly attachAuthInfo?: boolean | undefined
  /** Binds each `Mcp-Session-Id` to the thread that it was made for. The same for all gates of an endpoint. Default true. */
  readonly bindSessions?: boolean | undefined
  /** Seconds between two checks of the credential of an open stream. Default 5. */
  readonly recheckSeconds?: number | undefined
  /** Streams and sockets that one credential may have open in this process. Beyond it the oldest ends. Default 64. */
  readonly maxStreams?: number | undefined
}

/** The gate's options with their defaults. */
export interface ResolvedGateOptions extends GateOptions<McpCredentialReason, McpCredentialDependency> {
  readonly credentials: McpCredentials
  /** Undefined when every tool may be called. */
  readonly capabilitiesOf: CapabilitiesOf | undefined
  readonly anonymousCapabilities: readonly string[]
  readonly maxBodyBytes: number
  readonly denyAs: 'http' | 'jsonrpc'
  readonly deadAs: 'http' | 'jsonrpc'
  readonly stripHeader: boolean
  readonly attachAuthInfo: boolean
  readonly bindSessions: boolean
  readonly recheckMs: number
  readonly maxStreams: number
}

const RULES = {
  ...gateOptionRules,
  credentials: option
    .port<McpCredentials>('what createMcpCredentials() made', 'resolve', 'check', 'onRevoked')
    .required(),
  tools: option.custom<ToolRules>('an object from tool-name pattern to a capability, or to a list of them', (value) =>
    isToolRules(value) ? value : undefined,
  ),
  anonymousCapabilities: capabilitiesOption,
  maxBodyBytes: option.integer(0, 2 ** 31 - 1).default(DEFAULT_MAX_BODY_BYTES),
  denyAs: option.oneOf('http', 'jsonrpc').default('http'),
  deadAs: option.oneOf('http', 'jsonrpc').default('http'),
  stripHeader: option.boolean().default(true),
  attachAuthInfo: option.boolean().default(true),
  bindSessions: option.boolean().default(true),
  recheckSeconds: option.seconds(0.01, 3600).default(5),
  maxStreams: option.integer(1, 1_000_000).default(64),
}

const ALIASES: OptionAliases = {
  capabilities: 'tools',
  registry: 'credentials',
  requiredscopes: 'tools',
  scopes: 'tools',
  store: 'credentials: createMcpCredentials({ store })',
  prefix: 'credentials: createMcpCredentials({ prefix })',
  isalive: 'credentials: createMcpCredentials({ isAlive })',
  recheckms: 'recheckSeconds',
}

/** @throws {OptionError} */
export function resolveGateOptions(options: RequireMcpCredentialOptions): ResolvedGateOptions {
  const { tools, anonymousCapabilities, recheckSeconds, ...rest } = resolveOptions(
    'requireMcpCredential',
    options,
    RULES,
    '',
    ALIASES,
  )
  if (tools === undefined && anonymousCapabilities !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'anonymousCapabilities',
      'requireMcpCredential: option "anonymousCapabilities" needs "tools": without them every tool may be called',
    )
  }
  return {
    ...rest,
    anonymousCapabilities: anonymousCapabilities ?? [],
    capabilitiesOf: tools === undefined ? undefined : compileTools(tools),
    recheckMs: Math.round(recheckSeconds * 1000),
  }
}
