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
  settle,
  unavailableBy,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { mergeExposed } from '../challenges.js'
import type { CheckedDpopOptions } from '../dpop-options.js'
import type { OAuthBearerVerdict } from '../outcome.js'
import type { OAuthBearerPrincipal } from '../principal.js'
import type { OAuthBearerReason } from '../reasons.js'
import { createNonces, SLACK_MS } from './nonces.js'
import { createProofKeys, type ProofKey } from './proof-keys.js'
import { badProof, type Proof, readProof } from './read-proof.js'
import { targetOf } from './target-uri.js'

/** What proofs are checked with. */
export interface ProofSettings {
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

/** The check of the proof of one request. */
export interface ProofCheck {
  /** Refuses a proof that is not good with any token. */
  early(): Denied<OAuthBearerReason> | undefined
  /** Refuses a proof that is not made with the key of this thumbprint. */
  prove(jkt: string): Denied<OAuthBearerReason> | undefined | Promise<Denied<OAuthBearerReason> | undefined>
  /** Uses the proof up. */
  claim(jkt: string, verdict: Granted<OAuthBearerPrincipal>): OAuthBearerVerdict | Promise<OAuthBearerVerdict>
}

/** Makes the check that the sender of a token has the key that it is bound to. */
export function createProofCheck({
  dpop,
  replay,
  resource,
  clock,
}: ProofSettings): (token: string, request: ProofMessage) => ProofCheck {
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
    jkt: string,
    { jws, headerText }: Proof,
    key: ProofKey | undefined,
  ): Denied<OAuthBearerReason> | undefined {
    if (key === undefined) return badProof('jwk')
    if (key.jkt !== jkt) return badProof('jkt')
    if (!key.verify(jws.signed, jws.signature)) return badProof('signature')
    keys.keep(headerText, key)
    return undefined
  }

  function claim(request: ProofMessage, proof: Proof, jkt: string, verdict: Granted<OAuthBearerPrincipal>) {
    const now = clock.now()
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

  return (token, request) => {
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
      prove(jkt) {
        const proof = proofOf()
        if ('outcome' in proof) return proof
        return andThen<ProofKey | undefined, Denied<OAuthBearerReason> | undefined>(
          keys.find(proof.jws.header, proof.headerText, jkt),
          (key) => judge(jkt, proof, key),
        )
      },
      claim: (jkt, verdict) => claim(request, proofOf() as Proof, jkt, verdict),
    }
  }
}

/**
 * A nonce for the client's next proof, which scripts in browsers can read, too. No cache may give it to another request (RFC
 * 9449 §8.2).
 */
function offer(nonce: string, { res: response }: ProofMessage): void {
  if (response === undefined || response.headersSent) return
  response.setHeader('DPoP-Nonce', nonce)
  response.setHeader('Access-Control-Expose-Headers', mergeExposed(response.getHeader('Access-Control-Expose-Headers')))
  if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store')
}
