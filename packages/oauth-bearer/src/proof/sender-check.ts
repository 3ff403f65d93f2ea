import { hash } from 'node:crypto'
import type { Clock, ReplayStore } from '@countersign/core'
import {
  andThen,
  assertLinesCame,
  claimOnce,
  type Denied,
  denied,
  fieldLines,
  type Granted,
  granted,
  settle,
  unavailableBy,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { CheckedDpopOptions } from '../dpop-options.js'
import type { CheckSender, OAuthBearerVerdict, SenderCheck, Verified } from '../outcome.js'
import type { OAuthBearerPrincipal } from '../principal.js'
import type { OAuthBearerReason } from '../reasons.js'
import { type Binding, bindingOf } from './confirmation.js'
import { createNonces, SLACK_MS } from './nonces.js'
import { createProofKeys, type ProofKey } from './proof-keys.js'
import { badProof, type Proof, readProof } from './read-proof.js'
import { targetOf } from './target-uri.js'

/** What proofs are checked with. */
export interface SenderSettings {
  readonly dpop: CheckedDpopOptions
  readonly replay: ReplayStore
  readonly resource: string
  readonly clock: Clock
}

const MAX_KEYS = 10_000

/** What is read of a request. */
export type ProofMessage = Pick<Request, 'rawHeaders' | 'headers' | 'method' | 'originalUrl'> & {
  readonly res?: Request['res']
}

/** Makes the check that a token is presented by the one whom it is bound to. */
export function createSenderCheck({ dpop, replay, resource, clock }: SenderSettings): CheckSender<ProofMessage> {
  const { algorithms, windowMs, strippedPrefix } = dpop
  const { origin } = new URL(resource)
  const nonces = dpop.nonce && createNonces(dpop.nonce.secret, dpop.nonce.lifetimeMs, resource)
  const rules = { algorithms, windowMs, nonces }
  const keys = createProofKeys(MAX_KEYS)

  function proofIn(request: ProofMessage, token: string): Proof | Denied<OAuthBearerReason> {
    assertLinesCame(request, ['dpop'])
    const { method, originalUrl } = request
    const target = targetOf(originalUrl, { origin, strippedPrefix })
    return readProof({ lines: fieldLines(request, 'dpop'), method, target, token }, rules, clock.now())
  }

  /** Before the signature the binding: it is cheaper, and a stranger's key gets no further. */
  function judge(
    verified: Verified,
    { jkt }: Binding,
    { jws, headerText }: Proof,
    key: ProofKey | undefined,
  ): Granted<OAuthBearerPrincipal> | Denied<OAuthBearerReason> {
    if (key === undefined) return badProof('jwk')
    if (key.jkt !== jkt) return badProof('jkt')
    if (!key.verify(jws.signed, jws.signature)) return badProof('signature')
    keys.keep(headerText, key)
    const { principal, detail } = verified.verdict
    const attributes = { ...detail?.attributes, scheme: 'dpop', jkt }
    const confirmed = Object.freeze({ ...principal, confirmation: Object.freeze({ jkt }) })
    return Object.freeze(granted(confirmed, { ...detail, attributes }))
  }

  function claim(request: ProofMessage, proof: Proof, verdict: Granted<OAuthBearerPrincipal>) {
    const now = clock.now()
    const { jkt } = verdict.principal.confirmation as Binding
    const used = hash('sha256', JSON.stringify(['dpop', jkt, proof.jti]), 'base64url')
    const principalId = verdict.principal.id
    return settle<'fresh' | 'seen', OAuthBearerVerdict>(
      () => claimOnce(request, replay, used, Math.max(proof.endsAt - now, 0) + SLACK_MS),
      (said) => {
        if (said === 'seen') return denied('replayed', { detail: { ...verdict.detail, principalId } })
        if (nonces !== undefined && proof.wantsNonce) offer(nonces.fresh(now), request)
        return verdict
      },
      (error) => unavailableBy(error, 'replay_store', { ...verdict.detail, principalId }),
    )
  }

  function checkProof(token: string, request: ProofMessage): SenderCheck {
    let read: Proof | Denied<OAuthBearerReason> | undefined
    const proofOf = () => {
      read ??= proofIn(request, token)
      return read
    }
    return {
      early() {
        const proof = proofOf()
        return 'outcome' in proof ? proof : undefined
      },
      confirm(verified) {
        const binding = bindingOf(verified.verdict.principal.claims, 'dpop', verified.dpop)
        if (binding === undefined || 'outcome' in binding) return binding ?? badProof('jkt')
        const proof = proofOf()
        if ('outcome' in proof) return proof
        return andThen<ProofKey | undefined, ReturnType<typeof judge>>(
          keys.find(proof.jws.header, proof.headerText),
          (key) => judge(verified, binding, proof, key),
        )
      },
      claim: (verdict) => claim(request, proofOf() as Proof, verdict),
    }
  }

  return ({ scheme, token }, request) =>
    scheme === 'dpop' && request !== undefined ? checkProof(token, request) : withoutProof(scheme)
}

/** Nothing is proven: the token must be bound to nothing, and may be so. */
function withoutProof(scheme: string): SenderCheck {
  return {
    early: () => undefined,
    confirm: (verified) => {
      if (scheme !== 'bearer') return scheme === 'dpop' ? badProof('missing') : undefined
      const binding = bindingOf(verified.verdict.principal.claims, scheme, verified.dpop)
      return binding !== undefined && 'outcome' in binding ? binding : undefined
    },
    claim: (verdict) => verdict,
  }
}

/** A nonce for the client's next proof. No cache may give it to another request (RFC 9449 §8.2). */
function offer(nonce: string, { res: response }: ProofMessage): void {
  if (response === undefined || response.headersSent) return
  response.setHeader('DPoP-Nonce', nonce)
  if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store')
}
