import type { JsonObject } from '../strict-encoding.js'

/** `'rfc9068'`: the JWT profile for access tokens. `'relaxed'`: for issuers that do not follow it. */
export type ProfileName = 'rfc9068' | 'relaxed'

/** What an access token of an issuer looks like. */
export interface Profile {
  /** The header's `typ` of access tokens, in lower case and without `application/`. */
  readonly types: readonly (string | undefined)[]
  readonly requiredClaims: readonly string[]
  /** Each recognises the claims of another kind of token of the same issuer. */
  readonly otherTokens: readonly ((claims: JsonObject) => boolean)[]
}

// Marks of tokens that are not access tokens, at issuers whose access tokens have no type of their own: ID tokens (OpenID
// Connect Core §2), the `token_use` of Cognito and Hydra, Keycloak's `typ`.
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events']
const otherTokens: Profile['otherTokens'] = [
  ({ token_use: use }) => use !== undefined && use !== 'access' && use !== 'access_token',
  ({ typ }) => typeof typ === 'string' && /^(?:id|refresh|offline|logout)$/i.test(typ),
  // Keycloak before 25 puts the nonce into access tokens, too, and gives those the type Bearer.
  (claims) => claims.typ !== 'Bearer' && ID_TOKEN_CLAIMS.some((name) => Object.hasOwn(claims, name)),
]

/** The profiles by name. Source: RFC 9068 §2.1, §2.2, §4. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  rfc9068: {
    types: ['at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    otherTokens: [],
  },
  relaxed: { types: [undefined, 'jwt', 'at+jwt'], requiredClaims: ['iss', 'exp', 'aud'], otherTokens },
}
