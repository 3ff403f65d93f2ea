import { createAudit } from '@countersign/core'
import { andThen, type DecisionStep, decisionOn, type Explanation, explain, memberOf } from '@countersign/core/gate-kit'
import { createDemand, createScopeCheck } from './demand.js'
import { assertDpopIsOn } from './dpop-options.js'
import { createIssuers } from './issuers/create-issuers.js'
import { parseJws } from './jwt/parse-jws.js'
import { ASYMMETRIC_ALGORITHMS } from './keys/algorithms.js'
import { isPrivateKey, trustedKeys } from './keys/key-policy.js'
import { type RequireOAuthBearerOptions, resolveOAuthOptions } from './options.js'
import type { OAuthBearerVerdict } from './outcome.js'
import type { ProofMessage } from './proof/proof-check.js'
import { createSenderCheck } from './proof/sender-check.js'
import { readBareToken } from './read.js'
import { dependencies } from './reasons.js'
import { isJsonObject, type JsonObject } from './strict-encoding.js'
import { createTokenRouter, createVerify, type Route } from './verify.js'

export { isScope } from './demand.js'
export type { DiscoveredIssuer, DiscoverOptions, DiscoveryAttempt } from './http/discover-issuer.js'
export { discoverIssuer, metadataUrls } from './http/discover-issuer.js'
export type { Connect, Connection, NetworkOptions } from './http/network.js'
export { createConnect } from './http/network.js'
export type { FetchError, FetchFailure } from './http/request.js'
export type { OAuthBearerVerdict } from './outcome.js'
export { resourceMetadataUrl, resourceSpellings } from './resource.js'
export type { JsonObject } from './strict-encoding.js'

/**
 * Decides on a token as a gate with these options would, and returns the steps of the decision. It uses the gate's own
 * verification, without a cache, and emits no events unless `audit` is given. The scheme is Bearer: `legacy` is ignored.
 *
 * With `sender` the token is presented under DPoP, and `dpop` must be on: then `binding` comes after `audience`, and `proof` after
 * it.
 *
 * Steps of a JWT: `form`, `issuer`, `type`, `key`, `signature`, `claims`, `times`, `binding`, `audience`, `revocation`,
 * `scopes`. A token that an issuer or `verify` is asked about has `introspection` in place of `type`, `key` and `signature`; a JWT of an
 * issuer that introspects JWTs, too, has `verification`. A reason that two steps share is reported for the earlier one.
 *
 * @throws {OptionError} by rejection, for wrong options; a bug of a callback is thrown on.
 * @example
 * const { verdict, steps } = await explainToken(token, { resource: 'https://api.example.com', issuer })
 */
export async function explainToken(
  token: string,
  options: RequireOAuthBearerOptions,
  sender?: TokenSender,
): Promise<Explanation<OAuthBearerVerdict>> {
  const resolved = resolveOAuthOptions({ ...options, audit: memberOf(options, 'audit') ?? createAudit() })
  const { clock, toleranceMs, scopes, scopeImplies, maxTokenBytes, isRevoked, isRevokedTimeoutMs } = resolved
  const { issuers, findIssuer } = createIssuers(resolved)
  const read = readBareToken(token, maxTokenBytes)
  if ('outcome' in read) return explain(read, stepsOf({ way: 'none', refusal: read }, false, false))
  if (sender !== undefined) assertDpopIsOn('dpop', resolved.dpop)
  const presented = sender === undefined ? read : { ...read, scheme: 'dpop' }
  const verify = createVerify({
    issuers,
    findIssuer,
    legacy: undefined,
    isRevoked,
    isRevokedTimeoutMs,
    maxCacheEntries: 0,
    clock,
  })
  const demand = createDemand(
    { scopes },
    { hasScopes: createScopeCheck(scopeImplies), relevantScopes: new Set(scopes), clock, toleranceMs },
  )
  const { dpop, mtls, resource } = resolved
  // There is no connection whose certificate could be the token's.
  const noCertificate = mtls && { mode: mtls.mode, certificate: () => undefined, header: undefined }
  const check =
    (dpop ?? mtls) &&
    createSenderCheck({ dpop, mtls: noCertificate, resource, clock, replay: { claim: () => 'fresh' } })
  // The token first, whatever is wrong with the proof.
  const proving = check && { ...check(presented, sender && messageOf(sender)), early: () => undefined }
  let verdict: OAuthBearerVerdict
  try {
    verdict = await andThen<OAuthBearerVerdict, OAuthBearerVerdict>(
      verify(presented, undefined, proving),
      (verified) => (verified.outcome === 'granted' ? demand(verified) : verified),
    )
  } catch (error) {
    const decision = decisionOn(error, dependencies)
    if (decision.outcome === 'failed') throw error
    verdict = decision
  }
  const route = await createTokenRouter(issuers, findIssuer)(token)
  return explain(verdict, stepsOf(route, isRevoked !== undefined, check !== undefined))
}

/** Who presents a token: a request and its proof. */
export interface TokenSender {
  /** The value of its `DPoP` header field. */
  readonly proof: string
  readonly method: string
  /** The URL as its client knows it. Its origin must be that of `resource`. */
  readonly url: string
}

function messageOf({ proof, method, url }: TokenSender): ProofMessage {
  const { pathname, search } = new URL(url)
  return { rawHeaders: ['DPoP', proof], headers: { dpop: proof }, method, originalUrl: `${pathname}${search}` }
}

const FORM: DecisionStep = { step: 'form', endings: ['malformed', 'malformed_token'] }
const ISSUER: DecisionStep = { step: 'issuer', endings: ['wrong_issuer'] }
const JWT: readonly DecisionStep[] = [
  { step: 'type', endings: ['wrong_type'] },
  { step: 'key', endings: ['wrong_algorithm', 'unknown_key', 'keys'] },
  { step: 'signature', endings: ['bad_signature'] },
]
const ASKED = ['inactive', 'introspection', 'verifier', 'wrong_type', 'bound_token']

/** The steps in the order in which `verify.ts` and what it calls take them. */
function stepsOf(route: Route, hasRevocation: boolean, hasProof: boolean): readonly DecisionStep[] {
  const binding = { step: 'binding', endings: ['bound_token'] }
  return [
    FORM,
    ISSUER,
    ...proofOf(route),
    { step: 'claims', endings: ['missing_claim'] },
    { step: 'times', endings: ['expired', 'not_yet_valid'] },
    ...(hasProof ? [] : [binding]),
    // A `checkAudience` that throws, unless it can have been `isRevoked`.
    { step: 'audience', endings: ['wrong_audience', ...(hasRevocation ? [] : ['verifier'])] },
    ...(hasProof ? [binding, { step: 'proof', endings: ['bad_proof'] }] : []),
    { step: 'revocation', endings: ['revoked', 'verifier'] },
    { step: 'scopes', endings: ['insufficient_scope'] },
  ]
}

/** What proves the claims. */
function proofOf(route: Route): readonly DecisionStep[] {
  if (route.way === 'ask') return [{ step: 'introspection', endings: ASKED }]
  const mayAsk =
    route.way === 'jwt' && route.issuer.ask !== undefined && route.issuer.introspectionMode !== 'opaque-only'
  return mayAsk ? [{ step: 'verification', endings: [...JWT.flatMap(({ endings }) => endings), ...ASKED] }] : JWT
}

/** A JWT's header and claims. Nothing in them is proven. */
export interface DecodedToken {
  readonly header: JsonObject
  readonly claims: JsonObject
}

/** Decodes a JWT as strictly as the gate does, without verifying it; undefined for what the gate would not parse. */
export function decodeToken(token: string): DecodedToken | undefined {
  const jws = parseJws(token)
  return typeof jws === 'string' ? undefined : { header: jws.header, claims: jws.payload }
}

/** What a key set contains, by the rules of the gate. */
export interface KeySetSummary {
  readonly total: number
  /** The keys that the gate would trust, for any algorithm that it supports. */
  readonly usable: number
  /** Whether it publishes members of a private key or a shared secret. */
  readonly hasPrivateKey: boolean
}

/** Summarises a JWKS (RFC 7517 §5); undefined if it is not one. */
export async function summariseKeySet(document: unknown): Promise<KeySetSummary | undefined> {
  if (!isJsonObject(document) || !Array.isArray(document.keys)) return undefined
  const trusted = await trustedKeys(document, ASYMMETRIC_ALGORITHMS)
  const { keys } = document as { readonly keys: readonly unknown[] }
  return { total: keys.length, usable: trusted?.length ?? 0, hasPrivateKey: keys.some(isPrivateKey) }
}
