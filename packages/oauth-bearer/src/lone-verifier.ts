import type { Audit } from '@countersign/core'
import { denied, unavailable } from '@countersign/core/gate-kit'
import { toAuthInfo } from './auth-info.js'
import type { Authenticator } from './authenticate.js'
import { present } from './read-credential.js'
import { type OAuthBearerVerdict, reasons } from './reasons.js'
import type { VerifyAlone } from './verifier-of.js'

export interface LoneVerifierSetup {
  readonly authenticator: Authenticator
  readonly audit: Audit
  readonly resource: string
  readonly maxTokenBytes: number
}

/** Decides on a token that another middleware took from its request: one event, and the MCP SDK's view of it. */
export function createLoneVerifier({ authenticator, audit, resource, maxTokenBytes }: LoneVerifierSetup): VerifyAlone {
  return async (token) => {
    const isToken = typeof token === 'string' && token !== '' && token.length <= maxTokenBytes
    let verdict: OAuthBearerVerdict
    try {
      verdict = isToken ? await authenticator.verify(present('bearer', token)) : denied('malformed')
    } catch (error) {
      if (audit.active) void audit.emit({ ...BUG, gate: 'oauth-bearer', principal: UNKNOWN })
      throw error
    }
    const isRecorded = await report(audit, verdict)
    if (verdict.outcome !== 'granted') return verdict
    // No audit, no service: the same as at a gate.
    if (!isRecorded) return unavailable('audit_sink')
    return { outcome: 'granted', authInfo: toAuthInfo(verdict.principal, token, resource) }
  }
}

const UNKNOWN = { kind: 'oauth-bearer', id: 'unknown' }
const BUG = { type: 'access.unavailable', reason: 'internal_error', owasp: 'sys_crash' } as const
const UNRECORDED = { type: 'access.unavailable', reason: 'audit_sink', owasp: 'sys_monitor_disabled' } as const

/** Tells the audit. False when a sink that is required did not take it. */
function report(audit: Audit, verdict: OAuthBearerVerdict): boolean | Promise<boolean> {
  if (!audit.active) return true
  const { credential, attributes } = verdict.detail ?? {}
  const shared = { gate: 'oauth-bearer', credential, attributes }
  if (verdict.outcome === 'granted') {
    const { kind, id } = verdict.principal
    const event = { ...shared, type: 'access.granted', owasp: 'authn_login_success', principal: { kind, id } } as const
    return audit.emit(event, () => ({ ...UNRECORDED, gate: 'oauth-bearer', principal: UNKNOWN }))
  }
  const principal = { kind: 'oauth-bearer', id: verdict.detail?.principalId ?? UNKNOWN.id }
  return audit.emit(
    verdict.outcome === 'denied'
      ? { ...shared, type: 'access.denied', reason: verdict.reason, owasp: reasons[verdict.reason].owasp, principal }
      : { ...shared, type: 'access.unavailable', reason: verdict.dependency, owasp: 'sys_monitor_disabled', principal },
  )
}
