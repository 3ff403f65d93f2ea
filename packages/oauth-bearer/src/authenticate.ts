import { denied, isPromise, isToken68, settle, type Granted, withDeadline } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { type McpAuthInfo, toAuthInfo } from './auth-info.js'
import type { Presented } from './issuers/issuer.js'
import { andThen } from './maybe.js'
import { lacking, type Needs } from './needs.js'
import type { ResolvedOAuthOptions } from './options.js'
import type { OAuthBearerPrincipal } from './principal.js'
import { MALFORMED, readCredential } from './read-credential.js'
import type { OAuthBearerVerdict } from './reasons.js'
import { createTokenCache } from './token-cache.js'
import type { TokenOutcome } from './token-outcome.js'
import { unavailableOr } from './verify-function.js'
import { createTokenVerifier } from './verify-token.js'

/** How long `isRevoked` may take. */
const REVOCATION_TIMEOUT_MS = 2000

type Step = OAuthBearerVerdict | Promise<OAuthBearerVerdict>

/** The decisions of one gate and of those made from it: one cache, one set of keys. */
export interface Authenticator {
  /** Decides on a request for an operation that needs this much. */
  authenticate(request: Request, needs: Needs): Step
  /** Decides on a token that came with no request. */
  verify(presented: Presented): Step
}

export function createAuthenticator(options: ResolvedOAuthOptions): Authenticator {
  const { clock, issuers, isRevoked, resource, hasScopes, attachAuthInfo, maxTokenBytes, legacy } = options
  const sources = issuers.flatMap(({ keys }) => keys ?? [])
  const cache = createTokenCache(options.maxCacheEntries, clock, sources)
  const verifyToken = createTokenVerifier(issuers)
  const legacyScheme = legacy?.scheme.toLowerCase()
  // DPoP would be one more; until its proofs are checked it is no scheme of this gate.
  const schemes = legacyScheme === undefined ? ['bearer'] : ['bearer', legacyScheme]
  /** The principals of this gate's making: one that is on the request was decided on already. */
  const own = new WeakSet<object>()

  function authenticate(request: Request, needs: Needs): Step {
    const before = request.principal as object | undefined
    if (before !== undefined && own.has(before)) {
      return check({ outcome: 'granted', principal: before as OAuthBearerPrincipal }, needs)
    }
    const presented = readCredential(request, schemes, maxTokenBytes)
    if ('outcome' in presented) return presented
    return andThen<OAuthBearerVerdict, OAuthBearerVerdict>(verify(presented), (verdict) => {
      if (verdict.outcome !== 'granted') return verdict
      const checked = check(verdict, needs)
      if (attachAuthInfo && checked.outcome === 'granted') {
        ;(request as { auth?: McpAuthInfo }).auth = toAuthInfo(verdict.principal, presented.token, resource)
      }
      return checked
    })
  }

  function check(verdict: Granted<OAuthBearerPrincipal>, needs: Needs): OAuthBearerVerdict {
    const toleranceMs = options.clockToleranceSeconds * 1000
    return lacking(verdict.principal, needs, hasScopes, clock.now(), toleranceMs) ?? verdict
  }

  function verify(presented: Presented): Step {
    const known = cache.get(presented.digest)
    if (known === 'expired') return denied('expired')
    if (known !== undefined) return unlessRevoked(known.verdict)
    if (!isToken68(presented.token)) return MALFORMED
    const verifier = legacy !== undefined && presented.scheme === legacyScheme ? legacy.verify : verifyToken
    return andThen<TokenOutcome, OAuthBearerVerdict>(verifier(presented, clock.now()), (outcome) => {
      if (outcome.outcome !== 'verified') return outcome
      cache.set(presented.digest, outcome)
      own.add(outcome.verdict.principal)
      return unlessRevoked(outcome.verdict)
    })
  }

  /** Not cached: a revocation counts on the next request. */
  function unlessRevoked(verdict: Granted<OAuthBearerPrincipal>): Step {
    if (isRevoked === undefined) return verdict
    const { principal } = verdict
    const revocation = settle<boolean, OAuthBearerVerdict>(
      () => {
        const answer = isRevoked(principal)
        return isPromise(answer) ? withDeadline(answer, REVOCATION_TIMEOUT_MS, 'isRevoked') : answer
      },
      // Only false is a "no".
      (revoked) => (revoked === false ? verdict : denied('revoked', { detail: { principalId: principal.id } })),
      unavailableOr,
    )
    return isPromise(revocation) ? Promise.resolve(revocation) : revocation
  }

  return { authenticate, verify }
}
