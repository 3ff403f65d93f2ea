import type { ResolvedIssuer } from './issuers/issuer.js'
import { type CompactJws, parseJws } from './jwt/parse-jws.js'

/** Which issuer decides on a token, and how. */
export type Route =
  | { readonly way: 'jwt'; readonly issuer: ResolvedIssuer; readonly jws: CompactJws }
  | { readonly way: 'ask'; readonly issuer: ResolvedIssuer }
  /** No issuer takes it, and nobody is asked. */
  | { readonly way: 'none' }

/**
 * Decides by configuration: a JWS of an issuer whose JWTs are verified here goes to that issuer's keys; everything else,
 * with or without dots in it, to the issuer of opaque tokens. To one only: two would learn of each other's tokens.
 */
export function createRouter(issuers: readonly ResolvedIssuer[]): (token: string) => Route {
  const jwtIssuers = new Map(issuers.filter(({ kind }) => kind !== 'opaque').map((issuer) => [issuer.issuer, issuer]))
  const opaqueIssuers = issuers.filter(({ kind }) => kind !== 'jwt')

  return (token) => {
    const jws = jwtIssuers.size > 0 ? parseJws(token) : undefined
    const own = typeof jws?.payload.iss === 'string' ? jwtIssuers.get(jws.payload.iss) : undefined
    if (jws !== undefined && own !== undefined) return { way: 'jwt', issuer: own, jws }
    const issuer = opaqueIssuers.find(({ tokenPrefix = '' }) => token.startsWith(tokenPrefix))
    return issuer === undefined ? { way: 'none' } : { way: 'ask', issuer }
  }
}
