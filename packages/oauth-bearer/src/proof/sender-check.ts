import type { Clock, ReplayStore } from '@countersign/core'
import { andThen, type Denied, granted } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { CheckedDpopOptions } from '../dpop-options.js'
import type { CheckedMtlsOptions } from '../mtls-options.js'
import type { CheckSender, Verified } from '../outcome.js'
import type { OAuthBearerPrincipal } from '../principal.js'
import type { OAuthBearerReason } from '../reasons.js'
import { createCertificateCheck } from './certificate-check.js'
import { bindingOf } from './confirmation.js'
import { createProofCheck, type ProofMessage } from './proof-check.js'
import { badProof } from './read-proof.js'

/** What proofs and certificates are checked with. Undefined: they are not. */
export interface SenderSettings {
  readonly dpop: CheckedDpopOptions | undefined
  readonly mtls: CheckedMtlsOptions | undefined
  /** Of `dpop`. */
  readonly replay: ReplayStore | undefined
  readonly resource: string
  readonly clock: Clock
}

type Refusal = Denied<OAuthBearerReason> | undefined

/** Makes the check that a token is presented by the one whom it is bound to. */
export function createSenderCheck({ dpop, mtls, replay, ...settings }: SenderSettings): CheckSender<ProofMessage> {
  const checkProof = dpop && replay && createProofCheck({ ...settings, dpop, replay })
  const checkCertificate = mtls && createCertificateCheck(mtls)
  return ({ scheme, token }, request) => {
    const proof = scheme === 'dpop' && request !== undefined ? checkProof?.(token, request) : undefined
    return {
      early: () => proof?.early(),
      confirm(verified) {
        // Of a scheme of the app's own nothing is said.
        if (scheme !== 'bearer' && scheme !== 'dpop') return undefined
        if (scheme === 'dpop' && proof === undefined) return badProof('missing')
        const { claims } = verified.verdict.principal
        const binding = bindingOf(claims, scheme, { dpop: verified.dpop, mtls: mtls?.mode })
        if (binding === undefined || 'outcome' in binding) return binding
        const { jkt, 'x5t#S256': thumbprint } = binding
        // The certificate first: comparing it is cheaper than verifying a proof.
        const refusal =
          thumbprint === undefined ? undefined : checkCertificate?.(thumbprint, request as Request | undefined)
        if (refusal !== undefined) return refusal
        const proven = jkt === undefined ? undefined : proof?.prove(jkt)
        return andThen<Refusal, Refusal | ReturnType<typeof confirmed>>(
          proven,
          (refused) => refused ?? confirmed(verified, binding),
        )
      },
      claim(verdict) {
        const jkt = verdict.principal.confirmation?.jkt
        return proof === undefined || jkt === undefined ? verdict : proof.claim(jkt, verdict)
      },
    }
  }
}

function confirmed({ verdict }: Verified, confirmation: NonNullable<OAuthBearerPrincipal['confirmation']>) {
  const { principal, detail } = verdict
  const { jkt } = confirmation
  const attributes = {
    ...detail?.attributes,
    ...(jkt === undefined ? { binding: 'x5t#S256' } : { scheme: 'dpop', jkt }),
  }
  const shown = Object.freeze({ ...principal, confirmation: Object.freeze(confirmation) })
  return Object.freeze(granted(shown, { ...detail, attributes }))
}
