import type { IncomingMessage } from 'node:http'
import {
  type AuditAttributes,
  andThen,
  type Denied,
  denied,
  type Granted,
  listed,
  memberOf,
} from '@countersign/core/gate-kit'
import type { McpCredentialPrincipal } from '../principal.js'
import type { McpCredentialReason, McpCredentialVerdict } from '../reasons.js'
import { type JsonBody, readJsonBody } from './json-body.js'
import { allows, type CapabilitiesOf } from './rules.js'

type Message = Readonly<Record<string, unknown>>

/** Why a message is refused. `needs` is what would be enough; empty when nothing would. */
interface MessageRefusal {
  readonly why: 'tool' | 'no_pattern' | 'not_json_rpc' | 'mcp_method' | 'mcp_name'
  readonly tool?: string
  readonly needs: readonly string[]
}

/** What the gate demands of a body. */
export interface ToolDemands {
  readonly capabilitiesOf: CapabilitiesOf
  readonly maxBodyBytes: number
  /** What the gate's tokens start with: an event must not name a tool that holds one. */
  readonly prefix: string
}

const NOTHING: readonly string[] = []

/** The parameter that `Mcp-Name` repeats, by method. */
const NAMED = new Map<unknown, string>([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

/**
 * Reads the body and checks every message of it: the principal's capabilities must allow each `tools/call`, and the header
 * fields that name method and tool must agree with the body. A body that cannot be read is refused as what it is.
 */
export function demandTools(
  request: IncomingMessage,
  verdict: Granted<McpCredentialPrincipal>,
  demands: ToolDemands,
): McpCredentialVerdict | Promise<McpCredentialVerdict> {
  return andThen<ToolRefusal | undefined, McpCredentialVerdict>(
    checkTools(request, verdict.principal.capabilities, verdict.detail, demands),
    (refusal) => refusal ?? verdict,
  )
}

/**
 * The same for a caller without a credential. What a credential could allow is answered as what it is: none was presented
 * (RFC 6750 §3.1).
 */
export function demandAnonymous(
  request: IncomingMessage,
  capabilities: readonly string[],
  demands: ToolDemands,
): ToolRefusal | undefined | Promise<ToolRefusal | undefined> {
  return andThen<ToolRefusal | undefined, ToolRefusal | undefined>(
    checkTools(request, capabilities, undefined, demands),
    (refusal) =>
      refusal?.reason === 'insufficient_scope' && refusal.parameters !== undefined
        ? denied('missing', { detail: refusal.detail })
        : refusal,
  )
}

type ToolRefusal = Denied<McpCredentialReason>

function checkTools(
  request: IncomingMessage,
  capabilities: readonly string[],
  detail: Granted<McpCredentialPrincipal>['detail'],
  { capabilitiesOf, maxBodyBytes, prefix }: ToolDemands,
): ToolRefusal | undefined | Promise<ToolRefusal | undefined> {
  return andThen<JsonBody, ToolRefusal | undefined>(readJsonBody(request, maxBodyBytes), (body) => {
    if (body.outcome === 'refused') {
      const { reason, why } = body
      const limit: AuditAttributes = reason === 'body_too_large' ? { limit_bytes: maxBodyBytes } : {}
      return denied(reason, { detail: { ...detail, attributes: { why, ...limit } } })
    }
    for (const value of body.values) {
      const refusal = checkBody(request, value, capabilities, capabilitiesOf)
      if (refusal !== undefined) return refuse(refusal, capabilities, detail, prefix)
    }
    return undefined
  })
}

function refuse(
  { why, tool, needs }: MessageRefusal,
  capabilities: readonly string[],
  detail: Granted<McpCredentialPrincipal>['detail'],
  prefix: string,
): ToolRefusal {
  const attributes = { why, ...(tool === undefined || holdsToken(tool, prefix) ? {} : { tool }) }
  if (why === 'not_json_rpc') return denied('malformed_body', { detail: { ...detail, attributes } })
  if (why === 'mcp_method' || why === 'mcp_name') {
    return denied('header_mismatch', { detail: { ...detail, attributes } })
  }
  const scope = needs.join(' ')
  const enough = scope === '' ? {} : { parameters: { scope }, members: { scope } }
  const missed: AuditAttributes =
    scope === '' ? {} : { scopes_needed: listed(needs), scopes_held: listed(capabilities) }
  return denied('insufficient_scope', { detail: { ...detail, attributes: { ...attributes, ...missed } }, ...enough })
}

/** An agent may send anything as a name, its own credential too: that must not get into the audit. */
function holdsToken(tool: string, prefix: string): boolean {
  return tool.toLowerCase().includes(`${prefix.toLowerCase()}_`) && /[0-9A-Za-z]{43}/.test(tool)
}

function checkBody(
  request: IncomingMessage,
  body: unknown,
  capabilities: readonly string[],
  capabilitiesOf: CapabilitiesOf,
): MessageRefusal | undefined {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  for (const message of messages) {
    if (!isMessage(message) || !hasMeaning(message)) return { why: 'not_json_rpc', needs: NOTHING }
    const refusal = checkHeaders(request, message) ?? checkCall(message, capabilities, capabilitiesOf)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** A request or a notification, or a response (JSON-RPC 2.0 §4 and §5). */
function hasMeaning(message: Message): boolean {
  if (typeof memberOf(message, 'method') === 'string') return true
  return memberOf(message, 'result') !== undefined || memberOf(message, 'error') !== undefined
}

function isMessage(message: unknown): message is Message {
  return message !== null && typeof message === 'object' && !Array.isArray(message) && !Buffer.isBuffer(message)
}

function checkCall(
  message: Message,
  capabilities: readonly string[],
  capabilitiesOf: CapabilitiesOf,
): MessageRefusal | undefined {
  if (memberOf(message, 'method') !== 'tools/call') return undefined
  const tool = parameterOf(message, 'name')
  if (typeof tool !== 'string') return { why: 'not_json_rpc', needs: NOTHING }
  const needs = capabilitiesOf(tool)
  if (needs === undefined) return { why: 'no_pattern', tool, needs: NOTHING }
  return allows(needs, capabilities) ? undefined : { why: 'tool', tool, needs }
}

function parameterOf(message: Message, name: string): unknown {
  const params = memberOf(message, 'params')
  return isMessage(params) ? memberOf(params, name) : undefined
}

/** A proxy decides by `Mcp-Method` and `Mcp-Name` (MCP 2026-07-28), so they must agree with the body. */
function checkHeaders({ headers }: IncomingMessage, message: Message): MessageRefusal | undefined {
  const own = memberOf(message, 'method')
  const method = memberOf(headers, 'mcp-method')
  const name = memberOf(headers, 'mcp-name')
  if (method !== undefined && method !== own) return { why: 'mcp_method', needs: NOTHING }
  const named = NAMED.get(own)
  if (name === undefined || named === undefined) return undefined
  return decodeName(String(name)) === parameterOf(message, named) ? undefined : { why: 'mcp_name', needs: NOTHING }
}

/** A name that a header field cannot hold is sent as `=?base64?…?=`, in lower case: another spelling is a name like any other. */
function decodeName(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value)
  return encoded === null ? value : Buffer.from(encoded[1] as string, 'base64').toString('utf8')
}
