import { principalOf, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { type TestIssuer, type TokenShape, testIssuer } from '../../../test/support/test-issuer.js'
import { countersign, refuse, succeed } from './command.js'

const AUDIENCE = 'https://api.example.com'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer({ algorithm: 'ES256', resource: AUDIENCE })
})
afterAll(() => issuer.stop())

interface Report {
  readonly ok: boolean
  readonly reason?: string
  readonly checks: readonly { readonly id: string; readonly status: string; readonly detail: string }[]
}

async function inspect(token: string, ...words: string[]) {
  const verified = ['oauth', 'inspect', '--issuer', issuer.url, '--audience', AUDIENCE, '--json', ...words]
  const { exitCode, stdout } = await countersign(verified, { input: token })
  const report = JSON.parse(stdout) as Report
  return { exitCode, ...report, statuses: report.checks.map(({ id, status }) => `${id} ${status}`) }
}

describe('oauth inspect', () => {
  test('shows header and claims, without the signature and personal claims', async () => {
    const token = await issuer.token({ claims: { email: 'someone@example.com' } })
    const text = await succeed(['oauth', 'inspect'], { input: `Bearer ${token}\n` })
    expect(text).toMatch(/^header\n {2}alg {2}"ES256"\n {2}kid {2}"\S+"\n {2}typ {2}"at\+jwt"\nclaims\n/)
    expect(text).toMatch(/ {2}exp +\d+ {2}\d{4}-\S+Z, in [45] min\n/)
    expect(text).toContain('"<redacted>"')
    expect(text).toContain('nothing is verified')
    expect(text).not.toContain('someone@example.com')
    expect(text).not.toContain(token.split('.')[2])
    const all = await succeed(['oauth', 'inspect', '--show-personal'], { env: { COUNTERSIGN_TOKEN: token } })
    expect(all).toContain('someone@example.com')
  })

  test('lists the steps of the decision, up to the one that failed', async () => {
    expect((await inspect(await issuer.token())).statuses).toEqual([
      'form pass',
      'issuer pass',
      'type pass',
      'key pass',
      'signature pass',
      'claims pass',
      'times pass',
      'binding pass',
      'audience pass',
    ])
    const expired = await inspect(await issuer.badToken('expired'))
    expect(expired.statuses.slice(4)).toEqual([
      'signature pass',
      'claims pass',
      'times fail',
      'binding skip',
      'audience skip',
    ])
    expect(expired).toMatchObject({ exitCode: 1, ok: false, reason: 'expired' })
  })

  test('accepts both spellings of a resource at the root of a host, as the gate does, and no other', async () => {
    const token = await issuer.token()
    const words = ['oauth', 'inspect', '--issuer', issuer.url, '--audience']
    expect(await succeed([...words, `${AUDIENCE}/`], { input: token })).toContain('audience: it is for')
    const { exitCode, stdout } = await countersign([...words, `${AUDIENCE}/api`], { input: token })
    expect(exitCode).toBe(1)
    expect(stdout).toContain('audience: it is for another audience')
  })

  test('without --audience reports for whom the token is, and refuses one that is for nobody', async () => {
    const words = ['oauth', 'inspect', '--issuer', issuer.url]
    const text = await succeed(words, { input: await issuer.badToken('wrong_audience') })
    expect(text).toContain('- audience: no --audience was given: it is for https://another-api.example.com\n')
    const nobody = await countersign(words, { input: await issuer.badToken('no_audience') })
    expect(nobody).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('✗ claims: it lacks a required claim'),
    })
  })

  test('[cli-bad-inputs] reports errors in one line', async () => {
    const input = await issuer.token()
    await refuse(['oauth', 'inspect'], 1, /the token is not a JWT: it is opaque/, { input: 'opaque-token' })
    await refuse(['oauth', 'inspect'], 2, /the token is empty|no token is given/, { input: '' })
    await refuse(['oauth', 'inspect', '--audience', AUDIENCE], 2, /--audience needs --issuer/, { input })
    await refuse(['oauth', 'inspect', '--issuer', 'nonsense'], 2, /"nonsense" is not a URL/, { input })
    const port = await freePort()
    const gone = await testIssuer()
    await gone.stop()
    const stopped = await gone.token()
    await refuse(
      ['oauth', 'inspect', '--issuer', gone.url],
      3,
      /the metadata of the issuer cannot be fetched: .*ECONNREFUSED/,
      { input: stopped },
    )
    const elsewhere = ['oauth', 'inspect', '--issuer', `http://127.0.0.1:${port}`]
    expect(await countersign(elsewhere, { input })).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('✗ issuer: its "iss" is another issuer'),
    })
  })
})

describe('an issuer at fault', () => {
  let server: RunningServer
  let keysUrl: string
  let named: string
  let token: string
  beforeAll(async () => {
    server = await serve((request, response) => {
      const isMetadata = request.url === '/.well-known/oauth-authorization-server'
      response.writeHead(isMetadata ? 200 : 500)
      response.end(JSON.stringify(isMetadata ? { issuer: named, jwks_uri: keysUrl } : {}))
    })
    named = server.url
    keysUrl = `${server.url}/jwks`
    token = await issuer.token({ claims: { iss: server.url } })
  })
  afterAll(() => server.close())

  test('is asked for keys at a private address only with --trusted-host', async () => {
    keysUrl = 'https://10.255.255.1/jwks'
    const words = ['oauth', 'inspect', '--issuer', server.url]
    await refuse(words, 3, 'cannot be fetched (invalid jwks_uri): without --trusted-host', { input: token })
    await refuse([...words, '--trusted-host', '10.255.255.1'], 3, /fetched \((?:timeout|connection)/, { input: token })
    keysUrl = `${server.url}/jwks`
  })

  test('[cli-bad-inputs] is named when its keys or its metadata cannot be used', async () => {
    const words = ['oauth', 'inspect', '--issuer', server.url]
    await refuse(words, 3, /the keys at http:\S+\/jwks cannot be fetched \(/, { input: token })
    named = `${server.url}/`
    await refuse(words, 2, /is the metadata of "http:\S+\/", not of http:\S+: give --issuer exactly as it is there/, {
      input: token,
    })
  })
})

/** Why a gate refuses each token that the issuer of the tests can make; undefined for one that it accepts. */
const REASONS: Readonly<Record<TokenShape, readonly [rfc9068: string | undefined, relaxed: string | undefined]>> = {
  expired: ['expired', 'expired'],
  not_yet_valid: ['not_yet_valid', 'not_yet_valid'],
  wrong_issuer: ['wrong_issuer', 'wrong_issuer'],
  wrong_audience: ['wrong_audience', 'wrong_audience'],
  no_audience: ['missing_claim', 'missing_claim'],
  wrong_type: ['wrong_type', 'wrong_type'],
  unknown_key: ['unknown_key', 'unknown_key'],
  wrong_signature: ['bad_signature', 'bad_signature'],
  altered: ['bad_signature', 'bad_signature'],
  unsigned: ['wrong_algorithm', 'wrong_algorithm'],
  public_key_as_secret: ['wrong_algorithm', 'wrong_algorithm'],
  not_a_token: ['malformed_token', 'malformed_token'],
}

describe.each(['rfc9068', 'relaxed'] as const)('oauth inspect and the gate, with the profile %s', (profile) => {
  const { audit, events } = recordedAudit()
  let app: RunningServer
  const start = async () => {
    const gate = requireOAuthBearer({ issuer: { issuer: issuer.url, profile }, resource: AUDIENCE, audit })
    const handler = express()
    handler.get('/', gate, (request, response) => void response.json(principalOf(request, 'oauth-bearer')))
    app = await serve(handler)
  }
  beforeAll(start)
  afterAll(() => app.close())

  async function decisions(token: string) {
    const response = await fetch(app.url, { headers: { authorization: `Bearer ${token}` } })
    await response.arrayBuffer()
    const { exitCode, ok, reason } = await inspect(token, '--profile', profile)
    return { gate: events.at(-1)?.reason, isAccepted: response.ok, exitCode, ok, reason }
  }
  const accepted = { gate: undefined, isAccepted: true, exitCode: 0, ok: true, reason: undefined }

  test.each(Object.entries(REASONS))('agree on a token that is %s', async (shape, [strict, relaxed]) => {
    const reason = profile === 'relaxed' ? relaxed : strict
    const token = await issuer.badToken(shape as TokenShape)
    expect(await decisions(token)).toEqual({ gate: reason, isAccepted: false, exitCode: 1, ok: false, reason })
  })

  test('agree on good tokens, and on those that only one profile accepts', async () => {
    expect(await decisions(await issuer.token())).toEqual(accepted)
    const untyped = await decisions(await issuer.token({ header: { typ: 'JWT' } }))
    const short = await decisions(await issuer.token({ claims: { jti: undefined } }))
    const refused = (reason: string) => ({ gate: reason, isAccepted: false, exitCode: 1, ok: false, reason })
    expect(untyped).toEqual(profile === 'relaxed' ? accepted : refused('wrong_type'))
    expect(short).toEqual(profile === 'relaxed' ? accepted : refused('missing_claim'))
    expect(await decisions(await issuer.token({ claims: { cnf: { jkt: 'x' } } }))).toEqual(refused('bound_token'))
  })

  test('agree after the issuer rotated its key', async () => {
    // The tokens above have used up what this gate may ask its issuer for in half a minute.
    await app.close()
    await start()
    const old = await issuer.token()
    await issuer.rotateKey()
    const [before, after] = [await decisions(old), await decisions(await issuer.token())]
    expect([before, after]).toEqual([accepted, accepted])
  })
})
