import type { Clock } from '@countersign/core'
import {
  andThen,
  denied,
  type Granted,
  isPromise,
  isToken68,
  settle,
  unavailableBy,
  withDeadline,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { wrongIssuer } from './claims.js'
import type { Issuer } from './issuers/issuer.js'
import type { FindRuntimeIssuer, IssuerAnswer } from './issuers/runtime-issuers.js'
import { type CompactJws, type MalformedPart, parseJws } from './jwt/parse-jws.js'
import { LEGACY_ISSUER, type Legacy } from './legacy.js'
import type { OAuthBearerVerdict, Refused, SenderCheck, TokenOutcome, Verified } from './outcome.js'
import { grantAgain, type OAuthBearerPrincipal } from './principal.js'
import { MALFORMED_TOKEN, type PresentedToken } from './read.js'
import type { OAuthBearerReason } from './reasons.js'
import { createTokenCache, digestOf } from './token-cache.js'

type IsRevoked = (principal: OAuthBearerPrincipal) => boolean | PromiseLike<boolean>
type Outcome = TokenOutcome | Promise<TokenOutcome>

/** What {@link createVerify} verifies with. */
export interface VerifySetup {
  readonly issuers: readonly Issuer[]
  /** Finds the issuers that are known at run time alone. */
  readonly findIssuer: FindRuntimeIssuer | undefined
  readonly legacy: Legacy | undefined
  readonly isRevoked: IsRevoked | undefined
  readonly isRevokedTimeoutMs: number
  /** 0 caches nothing. */
  readonly maxCacheEntries: number
  readonly clock: Clock
}

/**
 * Verifies a token. `request` is undefined if the token was handed over alone, `sender` where nothing checks what it is bound
 * to, or has checked it before.
 */
export type VerifyToken = (
  presented: PresentedToken,
  request: Request | undefined,
  sender?: SenderCheck,
) => OAuthBearerVerdict | Promise<OAuthBearerVerdict>

/**
 * Makes the verification of tokens: the cache, else the legacy verifier or the issuer that the token is routed to; then
 * revocation, every time. Makes no promise if everything is known.
 */
export function createVerify(setup: VerifySetup): VerifyToken {
  const { issuers, findIssuer, legacy, isRevoked, isRevokedTimeoutMs, maxCacheEntries, clock } = setup
  const cache = createTokenCache(
    maxCacheEntries,
    clock,
    issuers.flatMap(({ keys }) => keys ?? []),
  )
  const route = createTokenRouter(issuers, findIssuer)
  const legacyScheme = legacy?.scheme.toLowerCase()

  return (presented, request, sender) => {
    const digest = digestOf(presented)
    const known = cache.get(digest)
    if (known?.outcome === 'denied') return known
    if (known === undefined) return verifyNew(presented, digest, request, sender)
    return sender === undefined ? stands(grantAgain(known.verdict)) : fromSender(known, sender)
  }

  /** Not cached: each request has a principal of its own, and a revocation takes effect on the next one. */
  function stands(verdict: Granted<OAuthBearerPrincipal>): ReturnType<VerifyToken> {
    return isRevoked === undefined ? verdict : unlessRevoked(verdict, isRevoked, isRevokedTimeoutMs)
  }

  function fromSender(verified: Verified, sender: SenderCheck): ReturnType<VerifyToken> {
    return andThen<Awaited<ReturnType<SenderCheck['confirm']>>, OAuthBearerVerdict>(
      sender.confirm(verified),
      (confirmed = grantAgain(verified.verdict)) => {
        if (confirmed.outcome === 'denied') return confirmed
        return andThen<OAuthBearerVerdict, OAuthBearerVerdict>(stands(confirmed), (standing) =>
          standing.outcome === 'granted' ? sender.claim(standing) : standing,
        )
      },
    )
  }

  function verifyNew(
    presented: PresentedToken,
    digest: string,
    request: Request | undefined,
    sender: SenderCheck | undefined,
  ): ReturnType<VerifyToken> {
    if (!isToken68(presented.token)) return MALFORMED_TOKEN
    const refusal = sender?.early()
    if (refusal !== undefined) return refusal
    const now = clock.now()
    const outcome =
      legacy !== undefined && presented.scheme === legacyScheme
        ? legacy.verify(presented, now, request)
        : andThen<Route, TokenOutcome>(route(presented.token), (taken) => verifyAt(taken, presented, now, request))
    return andThen<TokenOutcome, OAuthBearerVerdict>(outcome, (verified) => {
      if (verified.outcome !== 'verified') return verified
      cache.set(digest, verified)
      return sender === undefined ? stands(grantAgain(verified.verdict)) : fromSender(verified, sender)
    })
  }
}

/** Which issuer decides on a token, and how. */
export type Route =
  /** `untilMs`: of an issuer that is known at run time, until when that counts. */
  | { readonly way: 'jwt'; readonly issuer: Issuer; readonly jws: CompactJws; readonly untilMs?: number }
  | { readonly way: 'ask'; readonly issuer: Issuer; readonly untilMs?: number }
  /** No issuer accepts it, and none is asked; or it cannot be known which one would. */
  | { readonly way: 'none'; readonly refusal: Refused }

/**
 * Routes by configuration: a JWT whose `iss` is exactly an issuer with keys goes to that issuer; every other token, with
 * or without dots, to the issuer of opaque tokens. Never to two of them: they would learn of each other's tokens. For the
 * same reason a JWT that names another issuer by its URL is not sent to an introspection endpoint.
 */
export function createTokenRouter(
  issuers: readonly Issuer[],
  findIssuer: FindRuntimeIssuer | undefined,
): (token: string) => Route | Promise<Route> {
  const jwtIssuers = new Map(issuers.filter(({ verifyJwt }) => verifyJwt).map((issuer) => [issuer.issuer, issuer]))
  const names = issuers.map(({ issuer }) => issuer)
  /** No issuer that is found at run time has one of these names. */
  const reserved = new Set([...names, LEGACY_ISSUER])
  const opaqueIssuers = issuers.filter(({ ask }) => ask)

  function routeOther(token: string, named: unknown, part: MalformedPart | undefined): Route {
    const issuer = opaqueIssuers.find(({ tokenPrefix }) => token.startsWith(tokenPrefix))
    if (issuer !== undefined && mayLearn(issuer, named)) return { way: 'ask', issuer }
    const refusal =
      part === undefined
        ? wrongIssuer(named, names)
        : denied<OAuthBearerReason>('malformed_token', { detail: { attributes: { part } } })
    return { way: 'none', refusal }
  }

  return (token) => {
    const jws = parseJws(token)
    if (typeof jws === 'string') return routeOther(token, undefined, jws)
    const { iss: named } = jws.payload
    const own = typeof named === 'string' ? jwtIssuers.get(named) : undefined
    if (own !== undefined) return { way: 'jwt', issuer: own, jws }
    if (findIssuer === undefined || typeof named !== 'string' || reserved.has(named)) {
      return routeOther(token, named, undefined)
    }
    return andThen<IssuerAnswer, Route>(findIssuer(named), (found) => {
      if (found === undefined) return routeOther(token, named, undefined)
      if ('outcome' in found) return { way: 'none', refusal: found }
      const { issuer, untilMs } = found
      return issuer.verifyJwt === undefined ? { way: 'ask', issuer, untilMs } : { way: 'jwt', issuer, jws, untilMs }
    })
  }
}

function mayLearn({ issuer, acceptsIssuer }: Issuer, named: unknown): boolean {
  return typeof named !== 'string' || named === issuer || !URL.canParse(named) || acceptsIssuer(named)
}

/** Verifies where the token was routed to. The event of a refusal names the issuer. */
function verifyAt(route: Route, presented: PresentedToken, now: number, request: Request | undefined): Outcome {
  if (route.way === 'none') return route.refusal
  const { issuer, untilMs } = route
  const outcome =
    route.way === 'ask' ? issuer.ask?.(presented, now, request) : verifyJwt(route.jws, issuer, presented, now, request)
  return andThen<TokenOutcome, TokenOutcome>(outcome ?? denied('wrong_issuer'), (value) => {
    if (value.outcome === 'verified') {
      const bound = issuer.dpop === false ? value : { ...value, dpop: issuer.dpop }
      return untilMs === undefined ? bound : keptUntil(bound, untilMs)
    }
    const attributes = { ...value.detail?.attributes, issuer: issuer.issuer }
    return { ...value, detail: { ...value.detail, attributes } }
  })
}

/** The app may withdraw the issuer: then no verdict of it is remembered. */
function keptUntil(verified: Verified, untilMs: number): Verified {
  const { keepUntilMs } = verified
  return keepUntilMs === undefined ? verified : { ...verified, keepUntilMs: Math.min(keepUntilMs, untilMs) }
}

/** The JWT's own verdict, and what introspection adds to it or replaces it with. */
function verifyJwt(
  jws: CompactJws,
  issuer: Issuer,
  presented: PresentedToken,
  now: number,
  request: Request | undefined,
): Outcome | undefined {
  const outcome = issuer.verifyJwt?.(jws, now)
  const { ask, confirm, introspectionMode: mode } = issuer
  if (outcome === undefined || ask === undefined || mode === 'opaque-only') return outcome
  return andThen<TokenOutcome, TokenOutcome>(outcome, (value) => {
    if (value.outcome === 'verified') return mode === 'always' && confirm ? confirm(presented, value) : value
    return value.outcome === 'unavailable' || mode === 'any-failure' ? ask(presented, now, request) : value
  })
}

function unlessRevoked(
  verdict: Granted<OAuthBearerPrincipal>,
  isRevoked: IsRevoked,
  timeoutMs: number,
): OAuthBearerVerdict | Promise<OAuthBearerVerdict> {
  const { principal } = verdict
  return settle<boolean, OAuthBearerVerdict>(
    () => {
      const answer = isRevoked(principal)
      return isPromise(answer) ? withDeadline(answer, timeoutMs, 'verifier') : answer
    },
    // Only `false` is a "no".
    (revoked) => (revoked === false ? verdict : denied('revoked', { detail: { principalId: principal.id } })),
    (error) => unavailableBy(error, 'verifier', { principalId: principal.id }),
  )
}
