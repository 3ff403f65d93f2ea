import { isPromise, memberOf } from '@countersign/core/gate-kit'
import type { OAuthBearerReason } from './reasons.js'
import type { JsonObject } from './strict-encoding.js'

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
}

/** The times of a token's claims, milliseconds since the epoch, without the clock tolerance. */
export interface Times {
  readonly notBefore?: number | undefined
  readonly expiresAt?: number | undefined
}

const TEXT_CLAIMS = ['sub', 'client_id', 'jti', 'azp']

/**
 * Checks claims whose origin is proven: returns the reason to refuse them, or their times. The same rules apply to a JWT
 * and to an introspection answer; `required` are the claims that must be present.
 *
 * Source: RFC 7519 §4.1, RFC 9068 §4, RFC 7662 §2.2.
 */
export function checkClaims(
  claims: JsonObject,
  rules: ClaimRules,
  required: readonly string[],
  now: number,
): OAuthBearerReason | Times {
  const { checkAudience, clientIds, toleranceMs } = rules
  const isNeeded = (name: string) => name !== 'aud' || checkAudience === undefined
  if (required.some((name) => isNeeded(name) && !isPresent(claims[name]))) return 'missing_claim'
  if (TEXT_CLAIMS.some((name) => claims[name] !== undefined && !isText(claims[name]))) return 'missing_claim'
  const clientId = clientIdOf(claims)
  if (!isText(claims.sub) && clientId === undefined) return 'missing_claim'
  const expiresAt = milliseconds(claims.exp)
  const notBefore = milliseconds(claims.nbf)
  const issuedAt = milliseconds(claims.iat)
  if ([expiresAt, notBefore, issuedAt].some(Number.isNaN)) return 'missing_claim'
  if (claims.iss !== undefined && claims.iss !== rules.issuer) return 'wrong_issuer'
  const times = { expiresAt, notBefore }
  const untimely = checkTimes(times, toleranceMs, now) ?? checkTimes({ notBefore: issuedAt }, toleranceMs, now)
  if (untimely !== undefined) return untimely
  // Without its proof a bound token is worthless (RFC 9449 §7.2, RFC 8705 §3). A proof would be checked here.
  if (claims.cnf !== undefined) return 'bound_token'
  const isForUs =
    checkAudience === undefined
      ? claims.aud === undefined || isAudience(claims.aud, rules.audiences)
      : isAccepted(checkAudience({ ...claims }))
  if (!isForUs || (clientIds !== undefined && !clientIds.includes(clientId ?? ''))) return 'wrong_audience'
  return times
}

/**
 * Only `true` is a "yes".
 *
 * @throws {TypeError} for a promise: of an async `checkAudience`, every token would be for another audience.
 */
function isAccepted(answer: unknown): boolean {
  if (!isPromise(answer)) return answer === true
  answer.then(undefined, () => undefined)
  throw new TypeError('checkAudience must answer true or false, not a promise')
}

/** Whether a token has expired or is not valid yet. */
export function checkTimes(times: Times, toleranceMs: number, now: number): 'expired' | 'not_yet_valid' | undefined {
  const expiresAt = memberOf(times, 'expiresAt')
  const notBefore = memberOf(times, 'notBefore')
  if (expiresAt !== undefined && now >= expiresAt + toleranceMs) return 'expired'
  return notBefore !== undefined && now < notBefore - toleranceMs ? 'not_yet_valid' : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

/** NaN for a value that is not a NumericDate (RFC 7519 §2). */
function milliseconds(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : Number.NaN
}

/** One string, or a list of strings that contains one of ours, compared exactly (RFC 7519 §4.1.3). */
function isAudience(audience: unknown, accepted: readonly string[]): boolean {
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
