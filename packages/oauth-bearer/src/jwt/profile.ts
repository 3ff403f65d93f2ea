import type { JsonObject } from '../strict-encoding.js'

/** `'rfc9068'`: the JWT profile for access tokens. `'relaxed'`: for issuers that do not follow it. */
export type ProfileName = 'rfc9068' | 'relaxed'

/** What an access token of an issuer looks like. */
export interface Profile {
  /** The header's `typ` of access tokens, in lower case and without `application/`. */
  readonly types: readonly (string | undefined)[]
  readonly requiredClaims: readonly string[]
  /** Each finds the claim by which a token of the same issuer is of another kind. */
  readonly otherTokens: readonly ((claims: JsonObject) => string | undefined)[]
  /** Knows access tokens by their claims, in place of `otherTokens`. Gets proven claims. */
  readonly isAccessToken: ((claims: JsonObject) => boolean) | undefined
}

// Marks of tokens that are not access tokens, at issuers whose access tokens have no type of their own: ID tokens (OpenID
// Connect Core §2), the `token_use` of Cognito and Hydra, Keycloak's `typ`.
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events']
const otherTokens: Profile['otherTokens'] = [
  ({ token_use: use }) => (use === undefined || use === 'access' || use === 'access_token' ? undefined : 'token_use'),
  ({ typ }) => (typeof typ === 'string' && /^(?:id|refresh|offline|logout)$/i.test(typ) ? 'typ' : undefined),
  // Keycloak before 25 puts the nonce into access tokens, too, and gives those the type Bearer.
  (claims) => (claims.typ === 'Bearer' ? undefined : ID_TOKEN_CLAIMS.find((name) => Object.hasOwn(claims, name))),
]

/** The claim by which a token is of another kind, if its profile finds one. */
export function markOfOtherToken({ otherTokens: marks }: Profile, claims: JsonObject): string | undefined {
  for (const markOf of marks) {
    const mark = markOf(claims)
    if (mark !== undefined) return mark
  }
  return undefined
}

/** The profile of an issuer whose access tokens a function knows by their claims, if there is one. */
export function profileOf(name: ProfileName, isAccessToken: Profile['isAccessToken']): Profile {
  return isAccessToken === undefined ? PROFILES[name] : { ...PROFILES[name], otherTokens: [], isAccessToken }
}

/** The profiles by name. Source: RFC 9068 §2.1, §2.2, §4. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  rfc9068: {
    types: ['at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    otherTokens: [],
    isAccessToken: undefined,
  },
  relaxed: {
    types: [undefined, 'jwt', 'at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud'],
    otherTokens,
    isAccessToken: undefined,
  },
}
