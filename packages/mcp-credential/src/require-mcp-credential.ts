import type { Gate } from '@countersign/core'
import { defineGate, isPromise, parseAuthorization, type Denied, type ReasonEntry } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { authenticate } from './authenticate.js'
import { shapeAnswer } from './gate/answers.js'
import { authInfoFrom, type McpAuthInfo } from './gate/auth-info.js'
import { filterTools } from './gate/filter-tools.js'
import { stripAuthorization } from './gate/strip-header.js'
import { type RequireMcpCredentialOptions, resolveGateOptions } from './options.js'
import type { McpCredentialPrincipal } from './principal.js'
import {
  type McpCredentialDependency,
  type McpCredentialReason,
  type McpCredentialVerdict,
  reasons,
} from './reasons.js'
import { hasPrefix, MAX_TOKEN_LENGTH } from './token.js'

/** The gate of {@link requireMcpCredential}. */
export interface McpCredentialGate extends Gate<McpCredentialPrincipal> {
  /** The tools that a holder of these capabilities may call: for the answer to `tools/list`. */
  filterTools<T extends { readonly name: string }>(tools: readonly T[], capabilities: readonly string[]): T[]
}

/**
 * Requires a credential that this app issued for an agent session. Attaches {@link McpCredentialPrincipal}, and
 * `req.auth` for the MCP SDK. Answers 401 when it is not valid, with the reason when its secret is proven; 403 when it
 * is not allowed to call the tool; 503 when the store cannot be asked.
 *
 * @throws {OptionError} at creation.
 * @example
 * app.post('/mcp', express.json(), requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' } }), handler)
 */
export function requireMcpCredential(options: RequireMcpCredentialOptions): McpCredentialGate {
  const resolved = resolveGateOptions(options)
  const { credentials, stripHeader, attachAuthInfo, denyAs, capabilitiesOf } = resolved
  /** Mounted on a router and on its route, a gate meets a request twice, the second time without its header. */
  const grants = new WeakMap<Request, McpCredentialVerdict>()

  const presents = (request: Request): boolean => {
    const authorization = parseAuthorization(request, MAX_TOKEN_LENGTH)
    return (
      authorization.kind === 'credentials' &&
      authorization.scheme === 'bearer' &&
      hasPrefix(credentials.prefix, authorization.token)
    )
  }

  function conclude(request: Request, verdict: McpCredentialVerdict): McpCredentialVerdict {
    if (stripHeader && (verdict.outcome === 'granted' || presents(request))) stripAuthorization(request)
    if (verdict.outcome !== 'granted') return verdict
    grants.set(request, verdict)
    if (attachAuthInfo) (request as { auth?: McpAuthInfo }).auth = authInfoFrom(verdict.principal)
    return verdict
  }

  const gate = defineGate<McpCredentialPrincipal, McpCredentialReason, McpCredentialDependency>({
    scheme: 'mcp-credential',
    reads: ['authorization'],
    presents,
    authenticate(request) {
      const known = grants.get(request)
      if (known !== undefined) return known
      const verdict = authenticate(request, resolved)
      return isPromise(verdict) ? verdict.then((value) => conclude(request, value)) : conclude(request, verdict)
    },
    reasons,
    challenge: (verdict) => [{ scheme: 'Bearer', parameters: challengeParameters(verdict) }],
    answer: (answer, verdict, request) => shapeAnswer(answer, verdict, request, denyAs),
    options: resolved,
  })
  return Object.assign(gate, {
    filterTools: <T extends { readonly name: string }>(tools: readonly T[], capabilities: readonly string[]) =>
      filterTools(tools, capabilities, capabilitiesOf),
  })
}

function challengeParameters(
  verdict: Denied<McpCredentialReason> | undefined,
): Readonly<Record<string, string>> | undefined {
  if (verdict === undefined) return undefined
  const { problem }: ReasonEntry = reasons[verdict.reason]
  if (problem?.error === undefined) return undefined
  const { error, error_description } = problem
  return { error, ...(error_description === undefined ? {} : { error_description }), ...verdict.parameters }
}
