import { isDeepStrictEqual } from 'node:util'
import {
  type AuditAttributes,
  type Denied,
  denied,
  inSeconds,
  isPromise,
  listed,
  memberOf,
} from '@countersign/core/gate-kit'
import { parseJws } from './jwt/parse-jws.js'
import type { OAuthBearerReason } from './reasons.js'
import { deepFreeze, isJsonObject, type JsonObject } from './strict-encoding.js'

/** What one issuer's claims are checked against and read by. */
export interface ClaimRules {
  readonly issuer: string
  readonly audiences: readonly string[]
  /** Replaces the comparison with `audiences`. */
  readonly checkAudience: ((claims: JsonObject) => boolean) | undefined
  /** The clients whose tokens are accepted; undefined is all. */
  readonly clientIds: readonly string[] | undefined
  readonly toleranceMs: number
  /** The claims that contain scopes. */
  readonly scopeClaims: readonly string[]
  /** Additional names in the principal's claims → names in the token's. */
  readonly claimNames: Readonly<Record<string, string>>
  /** Whether it is checked later what a token is bound to. Else a bound one is refused. */
  readonly takesBound: boolean
}

/** The times of a token's claims, milliseconds since the epoch, without the clock tolerance. */
export interface Times {
  readonly notBefore?: number | undefined
  readonly expiresAt?: number | undefined
}

const TEXT_CLAIMS = ['sub', 'client_id', 'jti', 'azp']
const TIME_CLAIMS = ['exp', 'nbf', 'iat']

/**
 * Checks claims whose origin is proven: returns their refusal, or their times. The same rules apply to a JWT
 * and to an introspection answer; `required` are the claims that must be present.
 *
 * Source: RFC 7519 §4.1, RFC 9068 §4, RFC 7662 §2.2.
 */
export function checkClaims(
  claims: JsonObject,
  rules: ClaimRules,
  required: readonly string[],
  now: number,
): Denied<OAuthBearerReason> | Times {
  const { checkAudience, clientIds, toleranceMs } = rules
  const isNeeded = (name: string) => name !== 'aud' || checkAudience === undefined
  const missing =
    required.find((name) => isNeeded(name) && !isPresent(claims[name])) ??
    TEXT_CLAIMS.find((name) => claims[name] !== undefined && !isText(claims[name]))
  if (missing !== undefined) return missingClaim(missing)
  const clientId = clientIdOf(claims)
  if (!isText(claims.sub) && clientId === undefined) return missingClaim('sub')
  const expiresAt = milliseconds(claims.exp)
  const notBefore = milliseconds(claims.nbf)
  const undated = [expiresAt, notBefore, milliseconds(claims.iat)].findIndex(Number.isNaN)
  if (undated !== -1) return missingClaim(TIME_CLAIMS[undated] as string)
  if (claims.iss !== undefined && claims.iss !== rules.issuer) return wrongIssuer(claims.iss, [rules.issuer])
  const times = { expiresAt, notBefore }
  // `iat` is information (RFC 7519 §4.1.6). What a token is not valid before, its `nbf` says.
  const refusal = checkTimes(times, toleranceMs, now)
  if (refusal !== undefined) return refusal
  // Without its proof a bound token is worthless (RFC 9449 §7.2, RFC 8705 §3).
  if (!rules.takesBound && isBound(claims)) return denied('bound_token')
  const isForUs =
    checkAudience === undefined
      ? claims.aud === undefined || isAudience(claims.aud, rules.audiences)
      : isAccepted('checkAudience', checkAudience({ ...claims }))
  if (!isForUs) return wrongAudience(claims.aud, rules)
  return clientIds === undefined || clientIds.includes(clientId ?? '') ? times : wrongClient(clientId, clientIds)
}

/**
 * Whether a token is bound to something that its sender must prove, or says so: by `cnf` (RFC 7800), by the `token_type` of an
 * introspection (RFC 7662), or by the `typ` among Keycloak's claims.
 */
export function isBound({ cnf, token_type: type, typ }: JsonObject): boolean {
  return cnf !== undefined || isDpop(type) || isDpop(typ)
}

/** Whether a token is bound to a key for DPoP, or says so. */
export function isBoundToKey({ cnf, token_type: type, typ }: JsonObject): boolean {
  return (isJsonObject(cnf) && cnf.jkt !== undefined) || isDpop(type) || isDpop(typ)
}

function isDpop(type: unknown): boolean {
  return typeof type === 'string' && type.toLowerCase() === 'dpop'
}

/**
 * What somebody else says of a token, with what the token says itself that it is bound to, if it is a JWT: who does not repeat
 * it makes no bearer token of it. Its signature was not verified here, or not with success: this only takes away. Undefined
 * where the two contradict each other.
 */
export function boundAsToken(said: JsonObject, token: string): JsonObject | undefined {
  const jws = parseJws(token)
  if (typeof jws === 'string' || !isBound(jws.payload)) return said
  const { cnf } = jws.payload
  return mergeBinding(said, cnf === undefined ? { token_type: 'DPoP' } : { cnf })
}

/** Claims with what else is said of what the token is bound to; undefined where the two contradict each other. */
export function mergeBinding(claims: JsonObject, { cnf, token_type: type }: JsonObject): JsonObject | undefined {
  if (cnf === undefined && type === undefined) return claims
  const own = isJsonObject(claims.cnf) ? claims.cnf : {}
  const said = isJsonObject(cnf) ? cnf : {}
  if (Object.keys(said).some((name) => name in own && !isDeepStrictEqual(own[name], said[name]))) return undefined
  const members = { ...own, ...said }
  const isBoundTo = cnf !== undefined || claims.cnf !== undefined ? { cnf: members } : {}
  return deepFreeze({ ...claims, ...(type === undefined ? {} : { token_type: type }), ...isBoundTo })
}

function missingClaim(claim: string): Denied<OAuthBearerReason> {
  return denied('missing_claim', { detail: { attributes: { claim } } })
}

/** The refusal of a token by the issuer that it names; where it names none, the event has ours alone. */
export function wrongIssuer(named: unknown, expected: readonly string[]): Denied<OAuthBearerReason> {
  const seen: AuditAttributes = isText(named) ? { token_issuer: named } : {}
  return denied('wrong_issuer', { detail: { attributes: { ...seen, expected_issuers: listed(expected) } } })
}

/**
 * The refusal of a token that is, or may be, of another kind. Where its type shows it, the event has the types that are
 * expected, of which `undefined` may be left out; else the claim that shows it, if one does.
 */
export function wrongType(
  named: unknown,
  { expected, claim }: { readonly expected?: readonly (string | undefined)[]; readonly claim?: string },
): Denied<OAuthBearerReason> {
  const attributes = {
    token_type: isText(named) ? named : 'none',
    ...(expected === undefined ? {} : { expected_types: listed(expected.map((type) => type ?? 'none')) }),
    ...(claim === undefined ? {} : { claim }),
  }
  return denied('wrong_type', { detail: { attributes } })
}

/** Where the app checks the audience itself, what it expects is not known. */
function wrongAudience(audience: unknown, { audiences, checkAudience }: ClaimRules): Denied<OAuthBearerReason> {
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  const seen = list.filter(isText)
  const attributes = {
    ...(seen.length === 0 ? {} : { audiences: listed(seen) }),
    ...(checkAudience === undefined ? { expected_audiences: listed(audiences) } : {}),
  }
  return denied('wrong_audience', { detail: { attributes } })
}

function wrongClient(clientId: string | undefined, expected: readonly string[]): Denied<OAuthBearerReason> {
  const seen: AuditAttributes = clientId === undefined ? {} : { client_id: clientId }
  return denied('wrong_audience', { detail: { attributes: { ...seen, expected_client_ids: listed(expected) } } })
}

/**
 * Whether the app's function `name` says "yes": only `true` is one.
 *
 * @throws {TypeError} for a promise: an async function would refuse every token.
 */
export function isAccepted(name: 'checkAudience' | 'isAccessToken', answer: unknown): boolean {
  if (!isPromise(answer)) return answer === true
  answer.then(undefined, () => undefined)
  throw new TypeError(`${name} must answer true or false, not a promise`)
}

/** The refusal of a token that has expired or is not valid yet. */
export function checkTimes(times: Times, toleranceMs: number, now: number): Denied<OAuthBearerReason> | undefined {
  const expiresAt = memberOf(times, 'expiresAt')
  const notBefore = memberOf(times, 'notBefore')
  if (expiresAt !== undefined && now >= expiresAt + toleranceMs) {
    return untimely('expired', { late_by_seconds: inSeconds(now - expiresAt) }, toleranceMs)
  }
  if (notBefore === undefined || now >= notBefore - toleranceMs) return undefined
  return untimely('not_yet_valid', { early_by_seconds: inSeconds(notBefore - now) }, toleranceMs)
}

function untimely(reason: 'expired' | 'not_yet_valid', by: AuditAttributes, toleranceMs: number) {
  return denied(reason, { detail: { attributes: { ...by, tolerance_seconds: inSeconds(toleranceMs) } } })
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== ''
}

/** NaN for a value that is not a NumericDate (RFC 7519 §2). */
function milliseconds(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : Number.NaN
}

/** One string, or a list of strings that contains one of ours, compared exactly (RFC 7519 §4.1.3). */
export function isAudience(audience: unknown, accepted: readonly string[]): boolean {
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  return list.every((one) => typeof one === 'string') && list.some((one) => accepted.includes(one as string))
}

/** The client that a token was issued to: `client_id` (RFC 9068, RFC 7662), or the claim that other issuers use for it. */
export function clientIdOf({ client_id: clientId, azp, cid, appid }: JsonObject): string | undefined {
  return [clientId, azp, cid, appid].find(isText)
}

/** The scopes in these claims: lists, or strings of scopes separated by spaces (RFC 6749 §3.3). */
export function scopesOf(claims: JsonObject, names: readonly string[]): readonly string[] {
  const scopes = new Set<string>()
  for (const name of names) {
    const value = claims[name]
    const list: readonly unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
    for (const scope of list) if (isText(scope)) scopes.add(scope)
  }
  return Object.freeze([...scopes])
}
