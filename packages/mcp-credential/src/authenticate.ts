import { denied, granted, parseAuthorization, settle, type VerdictDetail, unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { checkBody } from './gate/json-rpc.js'
import { presentedIn } from './gate/presented.js'
import type { ResolvedGateOptions } from './options.js'
import { principalFrom } from './principal.js'
import type { McpCredentialReason, McpCredentialVerdict } from './reasons.js'
import type { Resolution } from './resolve-credential.js'
import { MAX_TOKEN_LENGTH } from './token.js'

type Step = McpCredentialVerdict | Promise<McpCredentialVerdict>

/** Decides on the credential that a request carries: form, store, session, then what the body asks for. */
export function authenticate(request: Request, options: ResolvedGateOptions): Step {
  const authorization = parseAuthorization(request, MAX_TOKEN_LENGTH)
  const presented = presentedIn(request, authorization)
  if (presented.kind === 'refused') return denied(presented.reason)
  return settle<Resolution, McpCredentialVerdict>(
    () => options.credentials.resolve(presented.token),
    (resolution) => conclude(request, options, resolution),
    (error) => unavailable(dependencyOf(error)),
  ) as Step
}

/** What could not be asked, by the error that says so; any other error is thrown on. */
export function dependencyOf(error: unknown): 'credential_store' | 'liveness' {
  const code = (error as { code?: unknown } | undefined)?.code
  if (code === 'ERR_COUNTERSIGN_UNAVAILABLE') return 'liveness'
  if (code === 'ERR_COUNTERSIGN_UNAVAILABLE') return 'credential_store'
  throw error
}

function conclude(request: Request, options: ResolvedGateOptions, resolution: Resolution): McpCredentialVerdict {
  const { standing, credential } = resolution
  if (credential === undefined) {
    const id = standing === 'wrong_secret' ? resolution.credentialId : undefined
    return denied(standing as McpCredentialReason, id === undefined ? {} : { detail: { credential: { id } } })
  }
  const detail: VerdictDetail = { principalId: credential.credentialId, credential: { id: credential.credentialId } }
  if (standing !== 'live') return denied(standing as McpCredentialReason, { detail })
  const principal = principalFrom(credential)
  if (!options.sessions.admits(request, request.res, principal)) return denied('session_mismatch', { detail })
  const { capabilitiesOf } = options
  const refusal = capabilitiesOf && checkBody(request, credential.capabilities, capabilitiesOf)
  if (refusal !== undefined) {
    const { why, tool, needs } = refusal
    const scope = needs.join(' ')
    return denied('capability_missing', {
      detail: { ...detail, attributes: { why, ...(tool === undefined || holdsToken(tool, options) ? {} : { tool }) } },
      ...(needs.length === 0 ? {} : { parameters: { scope }, members: { scope } }),
    })
  }
  // Watched by the token's own id: an alias may be revoked without what it stands for.
  // Whatever the request accepts: it is the handler that makes a stream.
  if (request.res !== undefined) options.streams.watch(request.res, resolution.tokenId)
  return granted(principal, detail)
}

/** An agent may send anything for a name, its own credential too, and the audit is not to keep that. */
function holdsToken(tool: string, { credentials }: ResolvedGateOptions): boolean {
  return tool.toLowerCase().includes(`${credentials.prefix.toLowerCase()}_`) && /[0-9A-Za-z]{43}/.test(tool)
}
