// What the known providers answer, as their documentation shows it; shortened.

/** The documented answers of one provider. */
export interface DocumentedProvider {
  /** Bodies by URL, for GET: metadata and userinfo. `keys` is put at the metadata's `jwks_uri`. */
  readonly documents: Readonly<Record<string, object>>
  readonly tokenUrl: string
  /** The token endpoint's answer; with an ID token of these claims, where the provider gives one. */
  readonly tokens: object
  readonly claims?: object
  /** Who that is. */
  readonly identity: { readonly issuer: string; readonly subject: string }
  /** What the token endpoint answers to wrong credentials, and to a code that is old or was used. */
  readonly wrongClient: readonly [status: number, body: object]
  readonly wrongCode: readonly [status: number, body: object]
}

const metadata = (issuer: string, rest: object) => ({
  issuer,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  ...rest,
})

const TENANT = '11111111-2222-4333-8444-555555555555'

export const DOCUMENTED: Readonly<Record<string, DocumentedProvider>> = {
  // https://developer.apple.com/documentation/signinwithapplerestapi/tokenresponse, …/errorresponse
  apple: {
    documents: {
      'https://appleid.apple.com/.well-known/openid-configuration': metadata('https://appleid.apple.com', {
        authorization_endpoint: 'https://appleid.apple.com/auth/authorize',
        token_endpoint: 'https://appleid.apple.com/auth/token',
        jwks_uri: 'https://appleid.apple.com/auth/keys',
        response_modes_supported: ['query', 'fragment', 'form_post'],
        subject_types_supported: ['pairwise'],
        scopes_supported: ['openid', 'email', 'name'],
        token_endpoint_auth_methods_supported: ['client_secret_post'],
      }),
    },
    tokenUrl: 'https://appleid.apple.com/auth/token',
    tokens: { access_token: 'adg61', token_type: 'Bearer', expires_in: 3600, refresh_token: 'rca7' },
    claims: { iss: 'https://appleid.apple.com', sub: '001234.abcdef0123456789.1234', nonce_supported: true },
    identity: { issuer: 'https://appleid.apple.com', subject: '001234.abcdef0123456789.1234' },
    wrongClient: [400, { error: 'invalid_client' }],
    wrongCode: [400, { error: 'invalid_grant', error_description: 'The code has expired or has been revoked.' }],
  },
  // https://discord.com/developers/docs/topics/oauth2, …/resources/user
  discord: {
    documents: {
      'https://discord.com/api/users/@me': {
        id: '80351110224678912',
        username: 'Nelly',
        discriminator: '1337',
        avatar: '8342729096ea3675442027381ff50dfe',
        public_flags: 64,
      },
    },
    tokenUrl: 'https://discord.com/api/oauth2/token',
    tokens: {
      access_token: '6qrZcUqja7812RVdnEKjpzOL4CvHBFG',
      token_type: 'Bearer',
      expires_in: 604800,
      refresh_token: 'D43f5y0ahjqew82jZ4NViEr2YafMKhue',
      scope: 'identify',
    },
    identity: { issuer: 'https://discord.com', subject: '80351110224678912' },
    wrongClient: [401, { error: 'invalid_client' }],
    wrongCode: [400, { error: 'invalid_grant', error_description: 'Invalid "code" in request.' }],
  },
  // https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
  github: {
    documents: { 'https://api.github.com/user': { login: 'octocat', id: 583231, node_id: 'MDQ6VXNlcjU4MzIzMQ==' } },
    tokenUrl: 'https://github.com/login/oauth/access_token',
    tokens: { access_token: 'gho_16C7e42F292c6912E7710c838347Ae178B4a', scope: '', token_type: 'bearer' },
    identity: { issuer: 'https://github.com/login/oauth', subject: '583231' },
    wrongClient: [
      200,
      {
        error: 'incorrect_client_credentials',
        error_description: 'The client_id and/or client_secret passed are incorrect.',
      },
    ],
    wrongCode: [200, { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' }],
  },
  // https://developers.google.com/identity/openid-connect/openid-connect
  google: {
    documents: {
      'https://accounts.google.com/.well-known/openid-configuration': metadata('https://accounts.google.com', {
        authorization_endpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
        token_endpoint: 'https://oauth2.googleapis.com/token',
        jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs',
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
        code_challenge_methods_supported: ['plain', 'S256'],
      }),
    },
    tokenUrl: 'https://oauth2.googleapis.com/token',
    tokens: { access_token: 'ya29.a0', expires_in: 3599, scope: 'openid', token_type: 'Bearer' },
    claims: {
      iss: 'https://accounts.google.com',
      sub: '10769150350006150715113082367',
      at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
    },
    identity: { issuer: 'https://accounts.google.com', subject: '10769150350006150715113082367' },
    wrongClient: [401, { error: 'invalid_client', error_description: 'Unauthorized' }],
    wrongCode: [400, { error: 'invalid_grant', error_description: 'Bad Request' }],
  },
  // https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2,
  // https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow. The ID token has no nonce.
  linkedin: {
    documents: {
      'https://api.linkedin.com/v2/userinfo': {
        sub: '782bbtaQ',
        name: 'A Member',
        locale: { country: 'US', language: 'en' },
      },
    },
    tokenUrl: 'https://www.linkedin.com/oauth/v2/accessToken',
    tokens: { access_token: 'AQXNnd2', expires_in: 5184000, scope: 'openid,profile', id_token: 'e30.e30.e30' },
    identity: { issuer: 'https://www.linkedin.com/oauth', subject: '782bbtaQ' },
    wrongClient: [401, { error: 'invalid_client', error_description: 'Client authentication failed' }],
    wrongCode: [
      400,
      {
        error: 'invalid_request',
        error_description:
          'Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. Or authorization code expired.',
      },
    ],
  },
  // https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc, …/reference-error-codes
  microsoft: {
    documents: {
      'https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration': metadata(
        'https://login.microsoftonline.com/{tenantid}/v2.0',
        {
          authorization_endpoint: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
          token_endpoint: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
          jwks_uri: 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
          token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
          response_modes_supported: ['query', 'fragment', 'form_post'],
          subject_types_supported: ['pairwise'],
        },
      ),
    },
    tokenUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
    tokens: { token_type: 'Bearer', scope: 'openid', expires_in: 3599, ext_expires_in: 3599, access_token: 'EwB4A8l6' },
    claims: {
      iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      tid: TENANT,
      ver: '2.0',
    },
    identity: {
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      subject: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
    },
    wrongClient: [
      401,
      {
        error: 'invalid_client',
        error_description: 'AADSTS7000222: The provided client secret keys are expired.',
        error_codes: [7000222],
      },
    ],
    wrongCode: [
      400,
      {
        error: 'invalid_grant',
        error_description: 'AADSTS70008: The provided authorization code has expired.',
        error_codes: [70008],
      },
    ],
  },
  // https://docs.slack.dev/reference/methods/openid.connect.token
  slack: {
    documents: {
      'https://slack.com/.well-known/openid-configuration': metadata('https://slack.com', {
        authorization_endpoint: 'https://slack.com/openid/connect/authorize',
        token_endpoint: 'https://slack.com/api/openid.connect.token',
        userinfo_endpoint: 'https://slack.com/api/openid.connect.userInfo',
        jwks_uri: 'https://slack.com/openid/connect/keys',
        response_modes_supported: ['form_post'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
      }),
    },
    tokenUrl: 'https://slack.com/api/openid.connect.token',
    tokens: { ok: true, access_token: 'xoxp-1234', token_type: 'Bearer' },
    claims: {
      iss: 'https://slack.com',
      sub: 'U123ABC456',
      at_hash: 'abc...123',
      'https://slack.com/team_id': 'T123ABC456',
      'https://slack.com/user_id': 'U123ABC456',
    },
    identity: { issuer: 'https://slack.com', subject: 'U123ABC456' },
    wrongClient: [200, { ok: false, error: 'bad_client_secret' }],
    wrongCode: [200, { ok: false, error: 'invalid_code' }],
  },
  // https://dev.twitch.tv/docs/authentication/getting-tokens-oidc
  twitch: {
    documents: {
      'https://id.twitch.tv/oauth2/.well-known/openid-configuration': metadata('https://id.twitch.tv/oauth2', {
        authorization_endpoint: 'https://id.twitch.tv/oauth2/authorize',
        token_endpoint: 'https://id.twitch.tv/oauth2/token',
        userinfo_endpoint: 'https://id.twitch.tv/oauth2/userinfo',
        jwks_uri: 'https://id.twitch.tv/oauth2/keys',
        scopes_supported: ['openid'],
        token_endpoint_auth_methods_supported: ['client_secret_post'],
      }),
    },
    tokenUrl: 'https://id.twitch.tv/oauth2/token',
    tokens: {
      access_token: 'rfx2uswqe8lu4g1mkagrvg5tv0ks3',
      expires_in: 14124,
      refresh_token: '5b93chm6hdve3mycz05zfzatkfdenfspp1h1ar2xxdalen01',
      scope: ['openid'],
      token_type: 'bearer',
    },
    claims: { iss: 'https://id.twitch.tv/oauth2', sub: '713936733', azp: 'client-1', preferred_username: 'twitchdev' },
    identity: { issuer: 'https://id.twitch.tv/oauth2', subject: '713936733' },
    wrongClient: [403, { status: 403, message: 'invalid client secret' }],
    wrongCode: [400, { status: 400, message: 'Invalid authorization code' }],
  },
  // https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token, https://docs.x.com/x-api/users/lookup/integrate
  x: {
    documents: {
      'https://api.x.com/2/users/me': {
        data: { id: '2244994945', name: 'X Developers', username: 'XDevelopers' },
      },
    },
    tokenUrl: 'https://api.x.com/2/oauth2/token',
    tokens: { token_type: 'bearer', expires_in: 7200, access_token: 'VGNiOVE', scope: 'users.read tweet.read' },
    identity: { issuer: 'https://x.com', subject: '2244994945' },
    wrongClient: [401, { error: 'unauthorized_client', error_description: 'Missing valid authorization header' }],
    wrongCode: [
      400,
      { error: 'invalid_request', error_description: 'Value passed for the authorization code was invalid.' },
    ],
  },
}
