import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { countersign, refuse, succeed } from './command.js'

const AUDIENCE = 'https://api.example.com'

/** An issuer that publishes one key; `sign` makes a token of any shape. */
let issuer: RunningServer
let sign: (claims?: JWTPayload, settings?: { typ?: string; kid?: string; foreign?: boolean }) => Promise<string>
let keysStatus = 200
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const foreign = await generateKeyPair('ES256')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] }
  issuer = await serve((request, response) => {
    const documents: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` },
      '/jwks': jwks,
    }
    const found = documents[request.url ?? '']
    const status = request.url === '/jwks' ? keysStatus : found === undefined ? 404 : 200
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}))
  })
  sign = (claims = {}, { typ = 'at+jwt', kid = 'k1', foreign: isForeign = false } = {}) =>
    new SignJWT({ sub: 'u1', email: 'someone@example.com', scope: 'files:read', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid, typ })
      .setIssuer(claims.iss ?? issuer.url)
      .setAudience(claims.aud ?? AUDIENCE)
      .setExpirationTime(claims.exp ?? '10m')
      .sign(isForeign ? foreign.privateKey : privateKey)
})
afterAll(() => issuer.close())

async function inspect(token: string, ...words: string[]) {
  const verified = ['oauth', 'inspect', '--issuer', issuer.url, '--audience', AUDIENCE, '--json', ...words]
  const { exitCode, stdout } = await countersign(verified, { input: token })
  const { checks } = JSON.parse(stdout) as { checks: { id: string; status: string; detail: string }[] }
  return [exitCode, ...checks.slice(1).map(({ id, status }) => `${id} ${status}`)]
}

describe('oauth inspect', () => {
  test('shows header and claims, without the signature and what tells of a person', async () => {
    const token = await sign()
    const text = await succeed(['oauth', 'inspect'], { input: `Bearer ${token}\n` })
    expect(text).toMatch(/^header\n {2}alg {2}"ES256"\n {2}kid {2}"k1"\n {2}typ {2}"at\+jwt"\nclaims\n/)
    expect(text).toMatch(/ {2}exp +\d+ {2}\d{4}-\S+Z, in (9|10) min\n/)
    expect(text).toContain('"<redacted>"')
    expect(text).toContain('nothing of this is proven')
    expect(text).not.toContain('someone@example.com')
    expect(text).not.toContain(token.split('.')[2])
    const all = await succeed(['oauth', 'inspect', '--show-personal'], { env: { COUNTERSIGN_TOKEN: token } })
    expect(all).toContain('someone@example.com')
  })

  test('says of a token whether its issuer signed it, for this audience, and it is valid now', async () => {
    expect(await inspect(await sign())).toEqual([0, 'signature pass', 'claims pass', 'type pass'])
    expect(await inspect(await sign({}, { typ: 'JWT' }))).toEqual([0, 'signature pass', 'claims pass', 'type warn'])
    expect(await inspect(await sign({ exp: 1_000_000_000 }))).toEqual([1, 'signature pass', 'claims fail'])
    expect(await inspect(await sign({ aud: 'https://other.example.com' }))).toEqual([
      1,
      'signature pass',
      'claims fail',
    ])
    expect(await inspect(await sign({ iss: 'https://other.example.com' }))).toEqual([
      1,
      'signature pass',
      'claims fail',
    ])
    expect(await inspect(await sign({}, { foreign: true }))).toEqual([1, 'signature fail'])
    expect(await inspect(await sign({}, { kid: 'k2' }))).toEqual([1, 'signature fail'])
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign()).split('.')[1]}.AA`
    expect(await inspect(none)).toEqual([1, 'signature fail'])
  })

  test('[cli-bad-inputs] says in one line what is wrong', async () => {
    const input = await sign()
    await refuse(['oauth', 'inspect'], 1, /the token is no JWT: it is opaque/, { input: 'opaque-token' })
    await refuse(['oauth', 'inspect'], 2, /the token is empty|no token is given/, { input: '' })
    await refuse(['oauth', 'inspect', '--audience', AUDIENCE], 2, /--audience is checked with --issuer/, { input })
    await refuse(['oauth', 'inspect', '--issuer', 'nonsense'], 2, /"nonsense" is not a URL/, { input })
    const gone = `http://127.0.0.1:${await freePort()}`
    await refuse(
      ['oauth', 'inspect', '--issuer', gone],
      3,
      /the metadata of the issuer cannot be had: .*ECONNREFUSED/,
      {
        input,
      },
    )
    keysStatus = 500
    await refuse(['oauth', 'inspect', '--issuer', issuer.url], 3, /the keys at .* cannot be had/, { input })
    keysStatus = 200
  })
})
