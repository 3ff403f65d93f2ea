import type { ResolvedIssuer } from './issuers/issuer.js'
import type { JsonObject } from './jwt/strict-json.js'
import type { OAuthBearerReason } from './reasons.js'
import { checkTimes } from './token-outcome.js'

/** The times of a token's claims, ms since the epoch. */
export interface Times {
  readonly expiresAt?: number
  readonly notBefore?: number
  readonly issuedAt?: number
}

const TEXT_CLAIMS = ['sub', 'client_id', 'jti', 'azp']

/**
 * The reason to refuse claims whose origin is proven, or their times. The same rules for a JWT and for what an
 * introspection endpoint says; `required` are the members that must be there.
 */
export function checkClaims(
  claims: JsonObject,
  issuer: ResolvedIssuer,
  required: readonly string[],
  now: number,
): OAuthBearerReason | Times {
  const { checkAudience, clientIds, toleranceMs } = issuer
  const isNeeded = (name: string) => name !== 'aud' || checkAudience === undefined
  if (required.some((name) => isNeeded(name) && !isPresent(claims[name]))) return 'missing_claim'
  if (TEXT_CLAIMS.some((name) => claims[name] !== undefined && !isText(claims[name]))) return 'missing_claim'
  if (claims.iss !== undefined && claims.iss !== issuer.issuer) return 'wrong_issuer'
  const times = readTimes(claims)
  if (times === undefined) return 'missing_claim'
  const { expiresAt, notBefore, issuedAt } = times
  const untimely =
    checkTimes({ expiresAt, notBefore, toleranceMs }, now) ?? checkTimes({ notBefore: issuedAt, toleranceMs }, now)
  if (untimely !== undefined) return untimely
  // A bound token is worth nothing without its proof (RFC 9449 §7.2, RFC 8705 §3): this is where one would be checked.
  if (claims.cnf !== undefined) return 'bound_token'
  const isForUs =
    checkAudience === undefined
      ? claims.aud === undefined || isAudience(claims.aud, issuer.audiences)
      : checkAudience(claims) === true
  if (!isForUs) return 'wrong_audience'
  if (clientIds !== undefined && !clientIds.includes(clientIdOf(claims) ?? '')) return 'wrong_audience'
  return isText(claims.sub) || clientIdOf(claims) !== undefined ? times : 'missing_claim'
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function readTimes(claims: JsonObject): Times | undefined {
  const times = {
    expiresAt: milliseconds(claims.exp),
    notBefore: milliseconds(claims.nbf),
    issuedAt: milliseconds(claims.iat),
  }
  const { expiresAt, notBefore, issuedAt } = times
  return Number.isNaN(expiresAt) || Number.isNaN(notBefore) || Number.isNaN(issuedAt) ? undefined : times
}

/** NaN for what is no NumericDate (RFC 7519 §2). */
function milliseconds(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : Number.NaN
}

/** One string, or a list of strings with one of ours: exact, as they are (RFC 7519 §4.1.3). */
function isAudience(audience: unknown, accepted: readonly string[]): boolean {
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  return list.every((one) => typeof one === 'string') && list.some((one) => accepted.includes(one as string))
}

/** The client that a token was issued to: `client_id` (RFC 9068, RFC 7662), or what issuers of before call it. */
export function clientIdOf({ client_id: clientId, azp, cid, appid }: JsonObject): string | undefined {
  return [clientId, azp, cid, appid].find(isText)
}

/** The scopes in these claims: lists, or strings of scopes with spaces between (RFC 6749 §3.3). */
export function scopesOf(claims: JsonObject, names: readonly string[]): readonly string[] {
  const scopes = new Set<string>()
  for (const name of names) {
    const value = claims[name]
    const list: readonly unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
    for (const scope of list) if (isText(scope)) scopes.add(scope)
  }
  return Object.freeze([...scopes])
}
