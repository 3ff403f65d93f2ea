import { createSettingsSessions, type SettingsOAuth } from '@countersign/settings-session'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'

let provider: HostileProvider
let warnings: CaughtWarning[]
let stop: () => void
const apps: Harness[] = []
beforeAll(async () => {
  provider = await startHostileProvider()
})
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(() => {
  stop()
  provider.overrides.clear()
})
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await provider.close()
})

let names = 0
/** An app whose provider has a name of its own, so that its warnings are; and a person who is about to come back. */
async function asked(oauth: Partial<SettingsOAuth> = {}) {
  const app = await settingsApp({
    oauth: { ...provider.oauth, providerName: `Provider ${names++}`, ...oauth } as SettingsOAuth,
    firstClaim: 'trust-link',
    realTime: true,
  })
  apps.push(app)
  provider.claims = { sub: `person${names}` }
  const person = app.browser()
  await person.confirm(await app.link())
  const url = (await person.send('/settings/oauth/start')).headers.get('location') as string
  return { app, person, callback: provider.answerTo(url) }
}

const endpoints = () => ({
  issuer: undefined,
  authUrl: `${provider.url}/authorize`,
  tokenUrl: `${provider.url}/token`,
  userinfoUrl: `${provider.url}/userinfo`,
  issuerId: provider.url,
})

function answerWith(path: string, status: number, body: object | string, headers: Record<string, string> = {}): void {
  provider.overrides.set(path, (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

const told = () => warnings.filter(({ code }) => code === 'COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP').length

describe('is the operator’s fault, 503 and told of once:', () => {
  test.each<[string, number, object | string, string, Record<string, string>]>([
    ['invalid_client', 401, { error: 'invalid_client' }, 'invalid_client', {}],
    ['a challenge', 401, '', 'status_401', { 'www-authenticate': 'Basic realm="x"' }],
    ['unauthorized_client', 400, { error: 'unauthorized_client' }, 'unauthorized_client', {}],
    ['a page', 403, '<html>', 'status_403', { 'content-type': 'text/html' }],
    ['a wrong address', 404, 'x', 'status_404', {}],
    ['no reason', 400, {}, 'status_400', {}],
    ['a reason that is no name', 400, { error: 'a "b" <c>' }, 'status_400', {}],
  ])('%s at the token endpoint', async (_name, status, body, failure, headers) => {
    const { app, person, callback } = await asked()
    answerWith('/token', status, body, headers)
    expect((await person.send(callback)).status).toBe(503)
    expect(app.events.at(-1)).toMatchObject({ reason: 'oauth_provider', attributes: { failure } })
    expect(told()).toBe(1)
    expect((await person.send('/settings')).status).toBe(403)
    expect(app.last()).toBe('awaiting_identity')
  })

  test.each(['unauthorized_client', 'invalid_scope'])('%s, with which the person is sent back', async (error) => {
    const { app, person, callback } = await asked()
    const answer = new URL(callback)
    answer.searchParams.delete('code')
    answer.searchParams.set('error', error)
    expect((await person.send(answer)).status).toBe(503)
    expect(app.events.at(-1)).toMatchObject({ reason: 'oauth_provider', attributes: { failure: error } })
    expect(told()).toBe(1)
  })

  test.each([401, 403, 404])('userinfo answers %d to a token that is new', async (status) => {
    const { person, callback } = await asked(endpoints())
    provider.responseIssuer = provider.url
    answerWith('/userinfo', status, { error: 'x' }, { 'www-authenticate': 'Bearer error="invalid_token"' })
    expect((await person.send(callback)).status).toBe(503)
    expect(told()).toBe(1)
  })

  test('a provider that takes no secret, and a secret is what the app has', async () => {
    await withMetadata({ token_endpoint_auth_methods_supported: ['private_key_jwt'] }, async ({ person, callback }) => {
      expect((await person.send(callback)).status).toBe(503)
      expect(warnings.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('its metadata names no method with a client secret'),
      )
    })
  })
})

describe('is an outage, of which no warning blames the app:', () => {
  test.each(['server_error', 'temporarily_unavailable'])('%s, with which the person is sent back', async (error) => {
    const { app, person, callback } = await asked()
    const answer = new URL(callback)
    answer.searchParams.delete('code')
    answer.searchParams.set('error', error)
    expect((await person.send(answer)).status).toBe(503)
    expect([app.last(), told()]).toEqual(['oauth_provider', 0])
  })

  test.each(['/jwks', '/token'])('%s that fails', async (path) => {
    const { app, person, callback } = await asked()
    answerWith(path, path === '/token' ? 502 : 404, {})
    expect((await person.send(callback)).status).toBe(503)
    expect([app.last(), told()]).toEqual(['oauth_provider', 0])
  })

  test('metadata that is missing when the person comes back to a process that has just started', async () => {
    const first = await asked()
    const second = await settingsApp({
      oauth: { ...provider.oauth, providerName: 'Second' },
      store: first.app.store,
      baseUrl: first.app.baseUrl,
      firstClaim: 'trust-link',
      realTime: true,
    })
    apps.push(second)
    answerWith('/.well-known/openid-configuration', 404, {})
    const callback = new URL(first.callback)
    const headers = { cookie: first.person.cookie }
    const answer = await fetch(`${second.url}${callback.pathname}${callback.search}`, { headers, redirect: 'manual' })
    expect([answer.status, second.last(), told()]).toEqual([503, 'oauth_provider', 0])
  })
})

test.each([
  ['client_secret_post', ['client_secret_post'], undefined],
  ['client_secret_basic', ['client_secret_post', 'client_secret_basic'], 'Basic'],
  ['client_secret_basic', undefined, 'Basic'],
])('the metadata chooses %s of %j', async (_method, supported, scheme) => {
  await withMetadata({ token_endpoint_auth_methods_supported: supported }, async ({ person, callback }) => {
    let authorization: string | undefined
    provider.overrides.set('/token', (request, response) => {
      authorization = request.headers.authorization
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}')
    })
    expect((await person.send(callback)).status).toBe(403)
    expect(authorization?.split(' ')[0]).toBe(scheme)
    expect(told()).toBe(0)
  })
})

async function withMetadata(more: object, run: (one: Awaited<ReturnType<typeof asked>>) => Promise<void>) {
  const metadata = await (await fetch(`${provider.url}/.well-known/openid-configuration`)).json()
  answerWith('/.well-known/openid-configuration', 200, { ...(metadata as object), ...more })
  await run(await asked())
}

test.each<[string, string, string | undefined]>([
  ['data.id', '{"data":{"id":"77"}}', '77'],
  ['data.0.id', '{"data":[{"id":77}]}', '77'],
  ['https://example.com/id', '{"https://example.com/id":"a"}', 'a'],
  ['data.id', '{"data.id":"whole","data":{"id":"part"}}', 'whole'],
  ['data.id', '{"data":"x"}', undefined],
  ['data.id', '{"data":null}', undefined],
  ['data.constructor.name', '{"data":{}}', undefined],
  ['length', '"text"', undefined],
])('the person’s id is at %s of %s', async (subjectClaim, body, subject) => {
  const { app, person, callback } = await asked({ ...endpoints(), subjectClaim })
  answerWith('/userinfo', 200, body)
  expect((await person.send(callback)).status).toBe(subject === undefined ? 403 : 303)
  const identity = await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })
  expect(identity).toEqual(subject === undefined ? undefined : { issuer: provider.url, subject })
})

describe('the start fails over', () => {
  const one = { issuer: 'https://id.example.com', clientId: 'c' }
  const known = { preset: 'google', clientId: 'c', clientSecret: 's' }
  test.each<[string, object, string]>([
    ['no secret, where none is not said to be meant', one, 'clientSecret'],
    ['a secret that nothing uses', { ...one, clientSecret: 's', tokenAuthMethod: 'none' }, 'clientSecret'],
    ['a method without its key', { ...one, clientSecret: 's', tokenAuthMethod: 'private_key_jwt' }, 'privateKey'],
    ['a key that is none', { ...one, privateKey: '-----BEGIN PRIVATE KEY-----\nx' }, 'privateKey'],
    ['the id of no key', { ...one, clientSecret: 's', keyId: 'k' }, 'privateKey'],
    ['an unknown method', { ...one, clientSecret: 's', tokenAuthMethod: 'client_secret' }, 'tokenAuthMethod'],
    ['an unknown provider', { ...known, preset: 'gogle' }, 'preset'],
    ['a place beside a preset', { ...known, issuer: 'https://id.example.com' }, 'issuer'],
    ['a claim beside a preset', { ...known, subjectClaim: 'email' }, 'subjectClaim'],
    ['a tenant of another provider', { ...known, tenant: 'common' }, 'tenant'],
    ['a tenant by its domain', { ...known, preset: 'microsoft', tenant: 'example.com' }, 'tenant'],
    ['a team of another provider', { ...known, teamId: 'T' }, 'teamId'],
    ['Apple without a key', { preset: 'apple', clientId: 'c' }, 'privateKey'],
    ['scopes without openid', { ...known, scopes: ['email'] }, 'scopes'],
  ])('%s', (_name, oauth, option) => {
    const create = () =>
      createSettingsSessions({ baseUrl: 'https://a.example.com/s', firstClaim: 'deny', oauth: oauth as SettingsOAuth })
    expect(create).toThrow(expect.objectContaining({ name: 'OptionError', option: `oauth.${option}` }))
  })
})
