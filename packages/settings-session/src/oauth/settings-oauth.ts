/** A provider that is known by name. */
export type OAuthPreset =
  | 'apple'
  | 'discord'
  | 'github'
  | 'google'
  | 'linkedin'
  | 'microsoft'
  | 'slack'
  | 'twitch'
  | 'x'

/** How the app proves at the token endpoint that it is the client. */
export type TokenAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'

/** A provider that people sign in at: a known one by name, by OpenID Connect discovery, or by its three endpoints. */
export interface SettingsOAuth {
  /** A known provider: the issuer or the endpoints, the scopes and the rest are chosen. */
  readonly preset?: OAuthPreset | undefined
  /** With `microsoft`: the tenant's id, or `organizations`, `consumers` or `common`. Default `common`: every account. */
  readonly tenant?: string | undefined
  /** With `apple`: the team's id. */
  readonly teamId?: string | undefined
  /** The OpenID provider's issuer: everything else is discovered. */
  readonly issuer?: string | undefined
  readonly authUrl?: string | undefined
  readonly tokenUrl?: string | undefined
  /** Where the person's id is read, as JSON, with the access token. */
  readonly userinfoUrl?: string | undefined
  /** The issuer of identities, where there is no discovery. Default: the token URL's origin. */
  readonly issuerId?: string | undefined
  /** The member of the userinfo answer that is the person's id, such as `id`, or `data.id` within another. Default `sub`. */
  readonly subjectClaim?: string | undefined
  readonly clientId: string
  /** Needed, unless there is a `privateKey` or the method is `none`. */
  readonly clientSecret?: string | undefined
  /** The key of `private_key_jwt`, or of Apple's client secret: RSA or EC, PKCS #8 in PEM. */
  readonly privateKey?: string | undefined
  /** The key's id at the provider. */
  readonly keyId?: string | undefined
  /**
   * How the app proves itself at the token endpoint. Default: `private_key_jwt` with a `privateKey`; with a `clientSecret`
   * what the metadata says, `client_secret_basic` first; with endpoints `client_secret_post`. A public client, which has
   * PKCE alone, says `none`.
   */
  readonly tokenAuthMethod?: TokenAuthMethod | undefined
  /** How the provider's answer comes: in the query, or in a form (`form_post`). Default `query`. */
  readonly responseMode?: ResponseMode | undefined
  /** Default `['openid']` with an issuer, none without. */
  readonly scopes?: readonly string[] | undefined
  /** Shown to people, and nowhere else. Default: the host that they sign in at. */
  readonly providerName?: string | undefined
  /** Milliseconds that the provider has for one answer. Default 5000. */
  readonly timeoutMs?: number | undefined
}

/** How the provider's answer comes back with the browser (OAuth 2.0 Form Post Response Mode). */
export type ResponseMode = 'query' | 'form_post'
