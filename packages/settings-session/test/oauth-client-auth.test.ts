import { generateKeyPairSync } from 'node:crypto'
import { type SettingsOAuth, settingsOAuthFromEnv } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, settingsApp } from './harness.js'
import { openWithSignIn, type RunningProvider, startProvider } from './support/provider.js'

const SECRET = 'a-client-secret-of-the-tests/with+signs='
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = ({ privateKey }: typeof rsa) => privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

const common = { redirect_uris: ['http://127.0.0.1/settings/oauth/callback'] }
const jwt = ({ publicKey }: typeof rsa, kid: string, alg: string) => ({
  ...common,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: alg,
  jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }] },
})
const clients = [
  { ...common, client_id: 'basic', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic' },
  { ...common, client_id: 'post', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post' },
  { ...common, client_id: 'public', token_endpoint_auth_method: 'none' },
  { ...jwt(rsa, 'rsa-1', 'RS256'), client_id: 'rsa' },
  { ...jwt(ec, 'ec-1', 'ES256'), client_id: 'ec' },
  { ...common, client_id: 'expired', client_secret: SECRET, client_secret_expires_at: 1 },
]

let provider: RunningProvider
let warnings: CaughtWarning[]
let stop: () => void
const apps: Harness[] = []
beforeAll(async () => {
  ;({ warnings, stop } = catchWarnings())
  provider = await startProvider(undefined, { clients })
}, 60_000)
afterAll(async () => {
  stop()
  await Promise.all(apps.map((app) => app.close()))
  await provider?.app.stop()
})

let users = 0
/** Signs one person in, with what the environment says. */
async function signIn(variables: Readonly<Record<string, string>>) {
  const env = Object.fromEntries(Object.entries(variables).map(([name, value]) => [`SETTINGS_OAUTH_${name}`, value]))
  const oauth = settingsOAuthFromEnv(env) as SettingsOAuth
  const app = await settingsApp({ oauth, realTime: true, firstClaim: 'trust-link' })
  apps.push(app)
  const userId = `user${users++}`
  const browser = app.browser()
  const answer = await openWithSignIn(browser, await app.link({ userId }), `person${users}`)
  return { app, answer, identity: await app.settings.identityOf({ platform: 'telegram', userId }) }
}

const withIssuer = () => ({ ISSUER: provider.issuer })
const withEndpoints = () => ({
  AUTH_URL: `${provider.issuer}/auth`,
  TOKEN_URL: `${provider.issuer}/token`,
  USERINFO_URL: `${provider.issuer}/me`,
  SCOPES: 'openid',
})

describe('a person signs in at a provider that knows the app by', () => {
  test.each<[string, () => Record<string, string>]>([
    ['a secret, as its metadata says', () => ({ ...withIssuer(), CLIENT_ID: 'basic', CLIENT_SECRET: SECRET })],
    [
      'client_secret_basic',
      () => ({
        ...withEndpoints(),
        CLIENT_ID: 'basic',
        CLIENT_SECRET: SECRET,
        TOKEN_AUTH_METHOD: 'client_secret_basic',
      }),
    ],
    [
      'client_secret_post',
      () => ({ ...withIssuer(), CLIENT_ID: 'post', CLIENT_SECRET: SECRET, TOKEN_AUTH_METHOD: 'client_secret_post' }),
    ],
    [
      'client_secret_post, which is what endpoints get',
      () => ({ ...withEndpoints(), CLIENT_ID: 'post', CLIENT_SECRET: SECRET }),
    ],
    ['PKCE alone', () => ({ ...withIssuer(), CLIENT_ID: 'public', TOKEN_AUTH_METHOD: 'none' })],
    ['PKCE alone, at endpoints', () => ({ ...withEndpoints(), CLIENT_ID: 'public', TOKEN_AUTH_METHOD: 'none' })],
    ['an RSA key', () => ({ ...withIssuer(), CLIENT_ID: 'rsa', PRIVATE_KEY: pem(rsa), KEY_ID: 'rsa-1' })],
    [
      'an EC key whose line breaks are escaped',
      () => ({ ...withIssuer(), CLIENT_ID: 'ec', PRIVATE_KEY: pem(ec as typeof rsa).replaceAll('\n', '\\n') }),
    ],
    [
      'a key, at endpoints',
      () => ({
        ...withEndpoints(),
        CLIENT_ID: 'ec',
        PRIVATE_KEY: pem(ec as typeof rsa),
        TOKEN_AUTH_METHOD: 'private_key_jwt',
      }),
    ],
  ])('%s', async (_name, variables) => {
    const { app, answer, identity } = await signIn(variables())
    expect([answer.status, app.last()]).toEqual([303, 'settings.session.opened'])
    expect(identity).toEqual({ issuer: provider.issuer, subject: `person${users}` })
  })
})

describe('a provider that does not accept the app is unavailable, and the operator is told', () => {
  test.each<[string, () => Record<string, string>]>([
    ['a wrong secret', () => ({ CLIENT_ID: 'basic', CLIENT_SECRET: 'a-wrong-secret' })],
    ['an expired secret', () => ({ CLIENT_ID: 'expired', CLIENT_SECRET: SECRET })],
    ['a secret where a key is registered', () => ({ CLIENT_ID: 'ec', CLIENT_SECRET: SECRET })],
    ['no secret', () => ({ CLIENT_ID: 'basic', TOKEN_AUTH_METHOD: 'none' })],
    ['the key of another client', () => ({ CLIENT_ID: 'ec', PRIVATE_KEY: pem(other as typeof rsa) })],
  ])('%s', async (name, variables) => {
    const { app, answer, identity } = await signIn({ ...withIssuer(), PROVIDER_NAME: name, ...variables() })
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain('did not work')
    expect(app.events.at(-1)).toMatchObject({ reason: 'oauth_provider', attributes: { failure: 'invalid_client' } })
    expect(identity).toBeUndefined()
    expect(warnings.filter(({ message }) => message.startsWith(name))).toEqual([
      {
        code: 'COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP',
        message: expect.stringMatching(
          / does not accept this app, so nobody can sign in: its token endpoint answered 40[01], invalid_client\. See https:\/\/countersign\.example\/errors\/COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP$/,
        ),
        detail: expect.stringContaining('when they expire'),
      },
    ])
  })
})
