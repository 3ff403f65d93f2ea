import { andThen } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { CheckSender, OAuthBearerVerdict } from './outcome.js'
import type { SenderSettings } from './proof/sender-check.js'
import type { PresentedToken } from './read.js'
import type { VerifyToken } from './verify.js'

/**
 * Verifies tokens and their senders. What checks proofs is loaded when a gate is made that wants them, and by no other one; the
 * first requests may wait for it.
 */
export function verifyWithSender(verify: VerifyToken, settings: SenderSettings): VerifyToken {
  let check: CheckSender | undefined
  const loading = import('./proof/sender-check.js').then(({ createSenderCheck }) => {
    check = createSenderCheck(settings)
    return check
  })
  // A request that waits for it gets the error.
  loading.catch(() => undefined)

  const decide = (checkSender: CheckSender, presented: PresentedToken, request: Request | undefined) =>
    andThen<OAuthBearerVerdict, OAuthBearerVerdict>(
      verify(presented, request, checkSender(presented, request)),
      (verdict) => naming(presented, verdict),
    )
  return (presented, request) =>
    check === undefined
      ? loading.then((loaded) => decide(loaded, presented, request))
      : decide(check, presented, request)
}

/** The event, and the challenge that has the error, are of the scheme that was presented. */
function naming({ scheme }: PresentedToken, verdict: OAuthBearerVerdict): OAuthBearerVerdict {
  if (verdict.outcome === 'granted' || scheme === 'bearer') return verdict
  const attributes = { ...verdict.detail?.attributes, scheme }
  return { ...verdict, detail: { ...verdict.detail, attributes } }
}
