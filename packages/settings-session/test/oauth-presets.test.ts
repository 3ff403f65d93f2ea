import { createSign, generateKeyPairSync, verify } from 'node:crypto'
import { type SettingsOAuth, settingsOAuthFromEnv } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, settingsApp } from './harness.js'
import { DOCUMENTED, type DocumentedProvider } from './support/provider-answers.js'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const apple = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const CREDENTIALS: Readonly<Record<string, string>> = { CLIENT_ID: 'client-1', CLIENT_SECRET: 'a-secret-of-the-tests' }
const APPLE: Readonly<Record<string, string>> = {
  CLIENT_ID: 'client-1',
  PRIVATE_KEY: apple.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  KEY_ID: 'ABC123DEFG',
  TEAM_ID: 'DEF123GHIJ',
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const partOf = (jwt: string, part: number) =>
  JSON.parse(Buffer.from(jwt.split('.')[part] as string, 'base64url').toString()) as Record<string, unknown>

function sign(claims: object): string {
  const input = `${base64url({ alg: 'RS256', kid: 'k1', typ: 'JWT' })}.${base64url(claims)}`
  return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey).toString('base64url')}`
}

/** What the token endpoint was asked with. */
interface Asked {
  readonly form: URLSearchParams
  readonly authorization: string | null
}

const ofMachine = globalThis.fetch
let warnings: CaughtWarning[]
let stop: () => void
const apps: Harness[] = []
beforeAll(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterAll(async () => {
  globalThis.fetch = ofMachine
  stop()
  await Promise.all(apps.map((app) => app.close()))
})

/** Puts a provider's documented answers where its endpoints are. */
function answerAs({ documents, tokenUrl, tokens, claims }: DocumentedProvider, nonce: () => string | null) {
  const asked: Asked[] = []
  const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] }
  let refusal: readonly [number, object] | undefined
  globalThis.fetch = async (input, init) => {
    const url = String(input)
    if (url.startsWith('http://127.0.0.1')) return ofMachine(input, init)
    const headers = new Headers(init?.headers)
    if (url === tokenUrl) {
      asked.push({ form: new URLSearchParams(String(init?.body)), authorization: headers.get('authorization') })
      if (refusal !== undefined) return Response.json(refusal[1], { status: refusal[0] })
      const iat = Math.floor(Date.now() / 1000)
      const idToken = { aud: 'client-1', iat, exp: iat + 600, nonce: nonce(), ...claims }
      return Response.json(claims === undefined ? tokens : { ...tokens, id_token: sign(idToken) })
    }
    const isKeys = Object.values(documents).some((one) => (one as { jwks_uri?: unknown }).jwks_uri === url)
    const document = isKeys ? keys : documents[url]
    return document === undefined ? new Response('', { status: 404 }) : Response.json(document)
  }
  return {
    asked,
    refuse: (answer: typeof refusal) => {
      refusal = answer
    },
  }
}

async function appWith(variables: Readonly<Record<string, string>>) {
  const env = Object.fromEntries(Object.entries(variables).map(([name, value]) => [`SETTINGS_OAUTH_${name}`, value]))
  const oauth = settingsOAuthFromEnv(env) as SettingsOAuth
  const app = await settingsApp({ oauth, realTime: true, firstClaim: 'trust-link' })
  apps.push(app)
  return app
}

describe.each(Object.entries(DOCUMENTED))('SETTINGS_OAUTH_PRESET=%s', (preset, documented) => {
  test('signs people in with the documented answers; a code is the person’s fault, credentials are the operator’s', async () => {
    let url = new URL('https://unasked.example.com')
    const { asked, refuse } = answerAs(documented, () => url.searchParams.get('nonce'))
    const app = await appWith({ PRESET: preset, ...(preset === 'apple' ? APPLE : CREDENTIALS) })
    const person = app.browser()
    await person.confirm(await app.link())
    const begin = async () => {
      const answer = await person.send('/settings/oauth/start')
      expect(answer.status).toBe(302)
      url = new URL(answer.headers.get('location') as string)
      return { code: 'a-code', state: url.searchParams.get('state') as string }
    }
    const finish = async (fields: Record<string, string>) => {
      if (url.searchParams.get('response_mode') !== 'form_post') {
        return person.send(`/settings/oauth/callback?${new URLSearchParams(fields)}`)
      }
      const from = { origin: url.origin, 'sec-fetch-site': 'cross-site', cookie: '' }
      const answer = await person.post('/settings/oauth/callback', { ...fields, user: '{"name":{}}' }, from)
      expect(answer.status).toBe(303)
      return person.send(answer.headers.get('location') as string)
    }

    refuse(documented.wrongCode)
    const first = await begin()
    expect((await finish(first)).status).toBe(403)
    expect(app.last()).toBe('sign_in_failed')
    expect(warnings).toEqual([])

    refuse(documented.wrongClient)
    expect((await finish(await begin())).status).toBe(503)
    expect(app.last()).toBe('oauth_provider')
    expect(warnings.splice(0).map(({ code }) => code)).toContain('COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP')

    refuse(undefined)
    expect((await finish(await begin())).status).toBe(303)
    expect(await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })).toEqual(documented.identity)
    // PKCE and the redirect URI always, and again when the person must sign in once more: no `auth_time` is waited for.
    const { form, authorization } = asked.at(-1) as Asked
    expect(form.get('code_verifier')).toHaveLength(43)
    expect(form.get('redirect_uri')).toBe(`${app.baseUrl}/oauth/callback`)
    expect(authorization?.split(' ')[0] ?? 'none').toBe(
      preset === 'apple' || form.has('client_secret') ? 'none' : 'Basic',
    )
    expect((await finish(await begin())).status).toBe(303)
    expect(url.searchParams.has('max_age')).toBe(false)
    expect(app.last()).toBe('settings.session.reverified')
  })
})

test("Apple's client secret is a JWT that the team's key signs", async () => {
  let nonce: string | null = null
  const { asked } = answerAs(DOCUMENTED.apple as DocumentedProvider, () => nonce)
  const app = await appWith({ PRESET: 'apple', ...APPLE })
  const person = app.browser()
  await person.confirm(await app.link())
  const { searchParams } = new URL((await person.send('/settings/oauth/start')).headers.get('location') as string)
  nonce = searchParams.get('nonce')
  const fields = { code: 'a-code', state: searchParams.get('state') as string }
  await person.send(`/settings/oauth/callback?${new URLSearchParams(fields)}`)
  const { form } = asked.at(-1) as Asked
  const secret = form.get('client_secret') as string
  expect([...form.keys()].sort()).toEqual([
    'client_id',
    'client_secret',
    'code',
    'code_verifier',
    'grant_type',
    'redirect_uri',
  ])
  expect(partOf(secret, 0)).toEqual({ alg: 'ES256', kid: 'ABC123DEFG' })
  const { iat, exp, ...claims } = partOf(secret, 1) as { iat: number; exp: number }
  expect(claims).toEqual({ iss: 'DEF123GHIJ', sub: 'client-1', aud: 'https://appleid.apple.com' })
  expect(exp - iat).toBeLessThanOrEqual(15_777_000)
  const [header, payload, signature = ''] = secret.split('.')
  const key = { key: apple.publicKey, dsaEncoding: 'ieee-p1363' } as const
  expect(verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(true)
})

test('a tenant of Microsoft is asked alone, and the token of another one is refused', async () => {
  const documented = DOCUMENTED.microsoft as DocumentedProvider
  const issuer = 'https://login.microsoftonline.com/99999999-2222-4333-8444-555555555555/v2.0'
  const [metadata] = Object.values(documented.documents)
  const documents = { [`${issuer}/.well-known/openid-configuration`]: { ...metadata, issuer } }
  let nonce: string | null = null
  answerAs({ ...documented, documents }, () => nonce)
  const app = await appWith({ PRESET: 'microsoft', TENANT: '99999999-2222-4333-8444-555555555555', ...CREDENTIALS })
  const person = app.browser()
  await person.confirm(await app.link())
  const { searchParams } = new URL((await person.send('/settings/oauth/start')).headers.get('location') as string)
  nonce = searchParams.get('nonce')
  const fields = { code: 'a-code', state: searchParams.get('state') as string }
  expect((await person.send(`/settings/oauth/callback?${new URLSearchParams(fields)}`)).status).toBe(403)
  expect(app.events.at(-1)).toMatchObject({
    reason: 'sign_in_failed',
    attributes: { cause: expect.stringContaining('iss') },
  })
})
