import type { Audit } from '@countersign/audit'
import { denied } from '@countersign/core'
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
    const verdict = isToken ? await authenticator.verify(present('bearer', token)) : denied('malformed' as const)
    report(audit, verdict)
    if (verdict.outcome !== 'granted') return verdict
    return { outcome: 'granted', authInfo: toAuthInfo(verdict.principal, token, resource) }
  }
}

function report(audit: Audit, verdict: OAuthBearerVerdict): void {
  if (!audit.active) return
  const { credential, attributes } = verdict.detail ?? {}
  const shared = { gate: 'oauth-bearer', credential, attributes }
  if (verdict.outcome === 'granted') {
    const { kind, id } = verdict.principal
    void audit.emit({ ...shared, type: 'access.granted', owasp: 'authn_login_success', principal: { kind, id } })
    return
  }
  const principal = { kind: 'oauth-bearer', id: verdict.detail?.principalId ?? 'unknown' }
  void audit.emit(
    verdict.outcome === 'denied'
      ? { ...shared, type: 'access.denied', reason: verdict.reason, owasp: reasons[verdict.reason].owasp, principal }
      : { ...shared, type: 'access.unavailable', reason: verdict.dependency, owasp: 'sys_monitor_disabled', principal },
  )
}
