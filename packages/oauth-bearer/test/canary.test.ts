import { inspect } from 'node:util'
import { UnavailableError } from '@countersign/core'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { ErrorRequestHandler } from 'express'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import { addIntrospection, type Introspector } from './introspector.js'
import { makeKey } from './test-issuer.js'

const CANARY = 'canary-4f7d2a91c6e84b3f'
/** What a token names: an event and a warning say it, an answer does not. */
const NAMED = 'named-by-the-token'
let app: Harness
/** Everything that was written anywhere. */
let written: string[]
/** What of it is a warning. */
let warned: string[]
beforeEach(() => {
  written = []
  warned = []
  const record = (text: unknown) => {
    written.push(String(text))
    return true
  }
  jest.spyOn(process.stdout, 'write').mockImplementation(record)
  jest.spyOn(process.stderr, 'write').mockImplementation(record)
  jest.spyOn(process, 'emitWarning').mockImplementation((...words: unknown[]) => void warned.push(inspect(words)))
})
afterEach(async () => {
  jest.restoreAllMocks()
  await app.stop()
})

function expectNoTrace(...tokens: readonly string[]) {
  // Not even the part that cannot be guessed.
  const secrets = [CANARY, ...tokens.flatMap((token) => [token, token.split('.').at(-1) ?? token])]
  const all = `${[...written, ...warned].join('\n')}\n${JSON.stringify(app.events)}\n${inspect(app.events, { depth: 9 })}`
  for (const secret of secrets) expect(all.includes(secret)).toBe(false)
}

describe('a token', () => {
  test('[oauth-canary] appears in no answer, event, warning or error, whatever the decision', async () => {
    const passOn: ErrorRequestHandler = (error, _request, response, _next) => {
      written.push(inspect(error, { depth: 9, showHidden: true }), String(error.stack), JSON.stringify(error))
      response
        .status(error.status ?? 500)
        .set(error.headers)
        .send(JSON.stringify(error))
    }
    app = await oauthApp({
      onDenied: 'next',
      routes: (routes, gate) => {
        routes.get('/write', gate.scopes('files:write'))
        routes.get('/mfa', gate.stepUp({ acr: ['urn:mfa'] }))
        routes.use(['/write', '/mfa'], passOn)
      },
    })
    app.app.use(passOn)
    const stranger = await makeKey('k1')
    const claims = { canary: CANARY }
    const tokens = [
      await app.token({ claims }),
      await app.token({ claims }, stranger),
      await app.token({ claims: { ...claims, exp: 1 } }),
      await app.token({ claims: { ...claims, aud: NAMED } }),
      await app.token({ claims: { ...claims, iss: NAMED } }),
      await app.token({ claims: { ...claims, cnf: {} } }),
      await app.token({ header: { kid: NAMED } }),
      await app.token({ header: { typ: NAMED } }),
      await app.token({ header: { jwk: { kty: CANARY } } }),
      CANARY,
      `${CANARY}.${CANARY}.${CANARY}`,
    ]
    const [good = ''] = tokens
    const requests = [
      ...tokens.flatMap((token) => [`Bearer ${token}`, `DPoP ${token}`, `Token ${token}`, `Bearer ${token}!`]),
      `Basic ${CANARY}`,
      CANARY,
      `Bearer ${CANARY.repeat(400)}`,
    ]
    for (const authorization of requests.filter((one) => one !== `Bearer ${good}`)) {
      const { status, headers, text } = await app.get(authorization)
      expect(status).toBeGreaterThanOrEqual(400)
      written.push(text, inspect([...headers]))
    }
    // Granted, it stands in the principal, and still in no event.
    expect((await app.get(good)).status).toBe(200)
    for (const path of ['/write', '/mfa', `/?access_token=${CANARY}`]) {
      const { status, headers, text } = await app.get(good, path)
      expect(status).toBeGreaterThanOrEqual(400)
      written.push(text, inspect([...headers]))
    }
    app.issuer.answer('/jwks', (_request, response) => void response.writeHead(500).end(CANARY))
    app.clock.advance(86_400_000)
    const { status, text } = await app.get(await app.token({ claims }))
    expect(status).toBe(503)
    written.push(text)
    expect((await app.get(good)).status).toBeGreaterThanOrEqual(400)
    expectNoTrace(...tokens.slice(0, 9))
    expect(written.join('\n')).not.toContain(NAMED)
    expect(warned.filter((text) => text.includes(NAMED)).length).toBe(3)
    const named = app.events.filter(({ attributes }) => Object.values(attributes ?? {}).includes(NAMED))
    expect(new Set(named.map(({ reason }) => reason))).toEqual(
      new Set(['wrong_audience', 'wrong_issuer', 'unknown_key', 'wrong_type']),
    )
    // It goes to nobody either: only the issuer's own places were asked.
    expect(new Set(app.issuer.requests)).toEqual(new Set(['/.well-known/oauth-authorization-server', '/jwks']))
  })

  test('[oauth-canary] is sent to the one endpoint that it is for, and the answer is not passed on', async () => {
    let endpoint = {} as Introspector
    app = await oauthApp((issuer) => {
      endpoint = addIntrospection(issuer)
      endpoint.tokens.set(`${CANARY}-500`, (response) => void response.writeHead(500).end(`no ${CANARY}`))
      endpoint.tokens.set(`${CANARY}-html`, (response) => void response.end(`<html>${CANARY}`))
      return { issuer: { issuer: issuer.url, introspection: { clientId: 'c', clientSecret: CANARY } } }
    })
    // An endpoint that repeats the token, as what it calls the token's id for one.
    const echo = { active: true, aud: RESOURCE, sub: 'u1', exp: 9_999_999_999, jti: `${CANARY}-echo` }
    endpoint.tokens.set(`${CANARY}-echo`, { ...echo, token: `${CANARY}-echo` })
    const echoed = await app.get(`${CANARY}-echo`)
    expect([echoed.status, app.last()]).toEqual([200, 'granted'])
    written.push(JSON.stringify(echoed.json.principal))
    for (const token of [CANARY, `${CANARY}-500`, `${CANARY}-html`]) {
      const { text, headers } = await app.get(token)
      written.push(text, inspect([...headers]))
    }
    expectNoTrace()
    expect(app.issuer.requests.filter((path) => path === '/introspect')).toHaveLength(4)
  })

  test('[oauth-canary] is in no event of a verifier that fails, even if its error contains it', async () => {
    const failing: Record<string, Error> = {
      bug: new TypeError(CANARY),
      error: new Error(CANARY),
      down: new UnavailableError('verifier', CANARY),
    }
    let next = new Error(CANARY)
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, verify: () => Promise.reject(next) } }))
    for (const error of Object.values(failing)) {
      next = error
      const { text, headers, status } = await app.get(CANARY)
      expect(status).toBeGreaterThanOrEqual(500)
      written.push(text, inspect([...headers]))
    }
    expectNoTrace()
  })
})
