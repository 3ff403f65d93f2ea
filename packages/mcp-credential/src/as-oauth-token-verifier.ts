import { audit as defaultAudit, type Audit } from '@countersign/core'
import { UnavailableError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { dependencyOf } from './authenticate.js'
import type { McpCredentials } from './create-mcp-credentials.js'
import { authInfoFrom, type McpAuthInfo } from './gate/auth-info.js'
import { principalFrom } from './principal.js'
import { reasons } from './reasons.js'
import type { Resolution } from './resolve-credential.js'

/** The MCP SDK's `OAuthTokenVerifier`. */
export interface McpOAuthTokenVerifier {
  verifyAccessToken(token: string): Promise<McpAuthInfo>
}

export interface VerifierOptions {
  /**
   * Makes the error that the SDK answers with 401. v1: `(message) => new InvalidTokenError(message)`; v2:
   * `(message) => new OAuthError(OAuthErrorCode.InvalidToken, message)`. This package does not depend on the SDK.
   */
  readonly invalidToken: (message: string) => Error
  /** Where decisions are reported. Default: the process-wide emitter. */
  readonly audit?: Audit
}

const rules = {
  invalidToken: option.func<VerifierOptions['invalidToken']>().required(),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
}

const SCHEME = 'mcp-credential'
const UNAVAILABLE = { type: 'access.unavailable', gate: SCHEME, principal: { kind: SCHEME, id: 'unknown' } } as const
const UNRECORDED = { ...UNAVAILABLE, reason: 'audit_sink', owasp: 'sys_monitor_disabled' } as const

/**
 * Gives the MCP SDK's own `requireBearerAuth` our verification; each decision is one event. What cannot be asked rejects
 * as it does in `resolve`, and so does a grant that a required sink of the audit did not take; the SDK answers that with
 * 500.
 *
 * @throws {OptionError}
 * @example
 * requireBearerAuth({ verifier: asOAuthTokenVerifier(credentials, { invalidToken: (m) => new InvalidTokenError(m) }) })
 */
export function asOAuthTokenVerifier(credentials: McpCredentials, options: VerifierOptions): McpOAuthTokenVerifier {
  const { invalidToken, audit } = resolveOptions('asOAuthTokenVerifier', options, rules)
  return {
    async verifyAccessToken(token) {
      let resolution: Resolution
      try {
        resolution = await credentials.resolve(token)
      } catch (error) {
        if (audit.active) void audit.emit({ ...UNAVAILABLE, ...whyUnavailable(error) })
        throw error
      }
      const { standing, credential } = resolution
      if (!(await report(audit, resolution))) {
        throw new UnavailableError('asOAuthTokenVerifier', 'the audit did not take the decision')
      }
      if (standing === 'live') return authInfoFrom(principalFrom(resolution.credential))
      throw invalidToken(credential === undefined ? 'The credential is not valid' : `The credential is ${standing}`)
    },
  }
}

function whyUnavailable(error: unknown) {
  try {
    return { reason: dependencyOf(error), owasp: 'sys_monitor_disabled' } as const
  } catch {
    return { reason: 'internal_error', owasp: 'sys_crash' } as const
  }
}

/** Tells the audit. False when a grant was not taken by a sink that is required. */
function report(audit: Audit, resolution: Resolution): boolean | Promise<boolean> {
  if (!audit.active) return true
  const { standing } = resolution
  const id = resolution.credential?.credentialId ?? (standing === 'wrong_secret' ? resolution.credentialId : undefined)
  const event = {
    gate: SCHEME,
    principal: { kind: SCHEME, id: resolution.credential?.credentialId ?? 'unknown' },
    credential: id === undefined ? undefined : { id },
  }
  if (standing === 'live') {
    return audit.emit({ ...event, type: 'access.granted', owasp: 'authn_login_success' }, () => UNRECORDED)
  }
  void audit.emit({ ...event, type: 'access.denied', reason: standing, owasp: reasons[standing].owasp })
  return true
}
