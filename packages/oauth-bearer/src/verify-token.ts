import { denied } from '@countersign/core/gate-kit'
import type { Presented, ResolvedIssuer } from './issuers/issuer.js'
import type { CompactJws } from './jwt/parse-jws.js'
import { verifyJwt } from './jwt/verify-jwt.js'
import { andThen } from './maybe.js'
import { createRouter } from './route-token.js'
import type { TokenOutcome } from './token-outcome.js'

/** Verifies a token that is in no cache. */
export type TokenVerifier = (presented: Presented, now: number) => TokenOutcome | Promise<TokenOutcome>

const NOBODYS: TokenOutcome = Object.freeze(denied('wrong_issuer'))

export function createTokenVerifier(issuers: readonly ResolvedIssuer[]): TokenVerifier {
  const route = createRouter(issuers)
  return (presented, now) => {
    const taken = route(presented.token)
    if (taken.way === 'none') return NOBODYS
    const { issuer } = taken
    const outcome = taken.way === 'jwt' ? verifyHere(taken.jws, issuer, presented, now) : ask(issuer, presented, now)
    return andThen<TokenOutcome, TokenOutcome>(outcome, (value) => withIssuer(value, issuer))
  }
}

/** The audit learns whose tokens are refused, or cannot be judged: one of the configured issuers. */
function withIssuer(outcome: TokenOutcome, { issuer }: ResolvedIssuer): TokenOutcome {
  if (outcome.outcome === 'verified') return outcome
  const { detail } = outcome
  return { ...outcome, detail: { ...detail, attributes: { ...detail?.attributes, issuer } } }
}

function ask(issuer: ResolvedIssuer, presented: Presented, now: number): TokenOutcome | Promise<TokenOutcome> {
  return issuer.askAbout === undefined ? NOBODYS : issuer.askAbout(presented, now)
}

/** The JWT's own verdict, and what introspection adds to it or says in its place. */
function verifyHere(jws: CompactJws, issuer: ResolvedIssuer, presented: Presented, now: number) {
  if (issuer.keys === undefined) return NOBODYS
  return andThen<TokenOutcome, TokenOutcome>(verifyJwt(jws, issuer, issuer.keys, now), (outcome) =>
    isIntrospected(outcome, issuer) ? ask(issuer, presented, now) : outcome,
  )
}

function isIntrospected({ outcome }: TokenOutcome, { introspectionMode: mode, askAbout }: ResolvedIssuer): boolean {
  if (askAbout === undefined || mode === 'opaque-only') return false
  if (outcome === 'verified') return mode === 'always'
  return outcome === 'unavailable' || mode === 'any-failure'
}
