import type { JsonObject } from './strict-json.js'

/** `'rfc9068'`: the JWT profile for access tokens. `'relaxed'`: for issuers that follow none. */
export type ProfileName = 'rfc9068' | 'relaxed'

export interface Profile {
  readonly name: ProfileName
  /** Whether the header's `typ`, in lower case and without `application/`, is one of an access token. */
  acceptsType(typ: string | undefined): boolean
  readonly requiredClaims: readonly string[]
  /** Whether the claims tell that this is another kind of token of the same issuer. */
  isOtherToken(claims: JsonObject): boolean
}

// What marks a token that is no access token, at issuers whose access tokens have no type of their own: ID tokens
// (OpenID Connect Core §2), Cognito's `token_use`, Keycloak's `typ`.
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events']
const OTHER_MARKS: readonly ((claims: JsonObject) => boolean)[] = [
  ({ token_use: use }) => use !== undefined && use !== 'access',
  ({ typ }) => typeof typ === 'string' && /^(?:id|refresh|offline|logout)$/i.test(typ),
  // Keycloak before 25 puts the nonce into access tokens, too, and says there that they are of type Bearer.
  (claims) => claims.typ !== 'Bearer' && ID_TOKEN_CLAIMS.some((name) => Object.hasOwn(claims, name)),
]

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  // RFC 9068 §2.1, §2.2, §4
  rfc9068: {
    name: 'rfc9068',
    acceptsType: (typ) => typ === 'at+jwt',
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    isOtherToken: () => false,
  },
  relaxed: {
    name: 'relaxed',
    acceptsType: (typ) => typ === undefined || typ === 'jwt' || typ === 'at+jwt',
    requiredClaims: ['iss', 'exp', 'aud'],
    isOtherToken: (claims) => OTHER_MARKS.some((isMarked) => isMarked(claims)),
  },
}
