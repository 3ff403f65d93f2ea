import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { forge, parts } from './forge.js'
import { type Harness, oauthApp } from './harness.js'
import { type IssuerKey, makeKey } from './test-issuer.js'

let app: Harness
let attacker: RunningServer
let seenByAttacker = 0
/** The attacker's own, under the issuer's name for one. */
let own: IssuerKey
beforeAll(async () => {
  app = await oauthApp()
  own = await makeKey('k1')
  attacker = await serve((_request, response) => {
    seenByAttacker += 1
    response.end('{}')
  })
  // Keys are known before any of this.
  expect((await app.get(await app.token())).status).toBe(200)
})
afterAll(async () => {
  await app.stop()
  await attacker.close()
})

/** Refused, and reported as this. */
async function expectRefused(token: string, reason: string) {
  const { status, headers } = await app.get(token)
  expect([status, app.last()]).toEqual([401, reason])
  expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
}

describe('forged headers', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', ' none', 'none ', 'null', ''])(
    '[oauth-forged-headers] alg %j is not an algorithm, with or without a signature',
    async (alg) => {
      const { header, claims } = parts(await app.token())
      await expectRefused(forge({ ...header, alg }, claims), 'wrong_algorithm')
      await expectRefused(forge({ ...header, alg }, claims, ''), 'wrong_algorithm')
    },
  )

  test.each([null, true, 0, ['RS256'], { name: 'RS256' }])(
    '[oauth-forged-headers] alg %j is not a string, so this is not a JWS',
    async (alg) => {
      const { header, claims } = parts(await app.token())
      await expectRefused(forge({ ...header, alg }, claims), 'malformed_token')
    },
  )

  test('[oauth-forged-headers] the public key is not used as an HMAC secret, in any encoding', async () => {
    const { header, claims } = parts(await app.token())
    const publicKey = createPublicKey({ key: app.key.jwk as JsonWebKey, format: 'jwk' })
    const spellings = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      publicKey.export({ type: 'pkcs1', format: 'pem' }),
      JSON.stringify(app.key.jwk),
      `${app.key.jwk.n}`,
    ]
    for (const secret of spellings) {
      await expectRefused(forge({ ...header, alg: 'HS256' }, claims, '', secret), 'wrong_algorithm')
    }
  })

  test.each([
    ['ES256', 'wrong_algorithm'],
    ['EdDSA', 'wrong_algorithm'],
    ['PS256', 'wrong_algorithm'],
    ['RS512', 'wrong_algorithm'],
    ['HS256', 'wrong_algorithm'],
    ['RS256 ', 'wrong_algorithm'],
    ['rs256', 'wrong_algorithm'],
  ])('[oauth-forged-headers] alg %s on the kid of an RS256 key is refused', async (alg, reason) => {
    const { header, claims } = parts(await app.token())
    await expectRefused(forge({ ...header, alg }, claims), reason)
  })

  test("[oauth-forged-headers] a key in the header is not used, and the attacker's server sees no request", async () => {
    const at = `${attacker.url}/keys.json`
    for (const header of [{ jwk: own.jwk }, { jku: at, jwk: own.jwk, kid: 'elsewhere' }]) {
      await expectRefused(await app.token({ header }, own), 'unknown_key')
      // Not even if it is signed with the issuer's own key.
      await expectRefused(await app.token({ header: { ...header, kid: 'k1' } }), 'unknown_key')
    }
    await expectRefused(await app.token({}, own), 'bad_signature')
    expect(seenByAttacker).toBe(0)
  })

  test("[oauth-forged-headers] a place of keys in the header is ignored: the issuer's keys alone count, and nothing is fetched", async () => {
    const at = `${attacker.url}/keys.json`
    const x5c = ['MIIB']
    for (const header of [
      { jku: at },
      { x5u: at },
      { jku: at, x5u: at, x5c, x5t: 'x' },
      { jku: 'file:///etc/passwd' },
    ]) {
      // What signed it was published at that place, under the name of the issuer's key.
      await expectRefused(await app.token({ header }, own), 'bad_signature')
      expect((await app.get(await app.token({ header }))).status).toBe(200)
    }
    app.clock.advance(60_000)
    await expectRefused(await app.token({ header: { jku: at, kid: 'elsewhere' } }, own), 'unknown_key')
    expect(seenByAttacker).toBe(0)
  })

  test.each([
    '../../../../etc/passwd',
    '/dev/null',
    "k1' OR '1'='1",
    "'; DROP TABLE keys; --",
    'k1\u0000',
    '\u0000',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '',
    'K1',
    'k1 ',
    'http://169.254.169.254/',
  ])('[oauth-forged-headers] kid %j is only an unknown name', async (kid) => {
    app.clock.advance(60_000)
    await expectRefused(await app.token({ header: { kid } }, own), 'unknown_key')
  })

  test('a header parameter that is null is an absent one', async () => {
    expect((await app.get(await app.token({ header: { kid: null, jwk: null, cty: null } }))).status).toBe(200)
    await expectRefused(await app.token({ header: { kid: null } }, own), 'bad_signature')
  })

  test.each([1, ['k1'], { toString: 'k1' }])('[oauth-forged-headers] kid %j is not a name', async (kid) => {
    const { header, claims } = parts(await app.token())
    await expectRefused(forge({ ...header, kid }, claims), 'unknown_key')
  })

  test('[oauth-forged-headers] for a kid longer than any trusted key has, the issuer is not asked', async () => {
    const before = app.issuer.fetches()
    await expectRefused(await app.token({ header: { kid: 'k'.repeat(1000) } }), 'unknown_key')
    expect(app.issuer.fetches()).toBe(before)
  })

  test.each([
    [{ crit: ['b64'], b64: false }],
    [{ crit: ['exp'], exp: 1 }],
    [{ crit: [] }],
    [{ b64: true }],
    [{ cty: 'JWT' }],
  ])('extensions, unencoded payloads, and nested tokens are refused: %j', async (extra) => {
    const { header, claims } = parts(await app.token())
    await expectRefused(forge({ ...header, ...extra }, claims), 'wrong_type')
  })

  test('an encrypted token is refused', async () => {
    const { header, claims } = parts(await app.token())
    const jwe = `${forge({ ...header, alg: 'RSA-OAEP', enc: 'A256GCM' }, claims)}.aaaa.bbbb`
    await expectRefused(jwe, 'malformed_token')
  })
})
