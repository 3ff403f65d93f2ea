import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { base64url, SignJWT } from 'jose'
import { dpopKey } from '../../../test/support/dpop-proof.js'
import { type DpopApp, dpopApp } from './dpop-app.js'
import { RESOURCE } from './harness.js'

const ORIGIN = new URL(RESOURCE).origin
let dpop: DpopApp
beforeAll(async () => {
  dpop = await dpopApp()
})
afterAll(() => dpop.app.stop())

const withClaims = (claims: Record<string, unknown>) => dpop.outcome({ proof: { claims } })
const withHeader = (header: Record<string, unknown>) => dpop.outcome({ proof: { header } })

describe('RFC 9449 §4.3, what is checked of a proof', () => {
  test('[dpop-one-field] 1: there is one DPoP header field, and one proof in it', async () => {
    const token = await dpop.boundToken()
    const proof = await dpop.proof(token)
    expect(await dpop.outcome({ token, proofs: [] })).toBe('401 bad_proof missing')
    expect(await dpop.outcome({ token, proofs: [proof, proof] })).toBe('401 bad_proof several')
    expect(await dpop.outcome({ token, proofs: [proof, await dpop.proof(token)] })).toBe('401 bad_proof several')
    expect(await dpop.outcome({ token, proofs: [`${proof}, ${proof}`] })).toBe('401 bad_proof form')
    expect(await dpop.outcome({ token, proofs: [proof] })).toBe('200 granted')
  })

  test('[dpop-well-formed] 2: it is one well-formed JWT', async () => {
    const token = await dpop.boundToken()
    const good = await dpop.proof(token)
    const [header, claims, signature] = good.split('.') as [string, string, string]
    const twice = base64url.encode(JSON.stringify({ a: 1 }).replace('{', '{"jti":"a","jti":"b",'))
    for (const wrong of [
      '',
      'text',
      `${header}.${claims}`,
      `${good}.${signature}`,
      `${good}=`,
      `${header}.${twice}.${signature}`,
      `${header}.${base64url.encode('[]')}.${signature}`,
      `${header}.${claims}.${signature}${'A'.repeat(8192)}`,
    ]) {
      expect(await dpop.outcome({ token, proofs: [wrong] })).toBe('401 bad_proof form')
    }
    const extended = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), crit: ['x'], x: 1 }
    const proofs = [`${base64url.encode(JSON.stringify(extended))}.${claims}.${signature}`]
    expect(await dpop.outcome({ token, proofs })).toBe('401 bad_proof crit')
  })

  test('[dpop-required-claims] 3: it has every claim that §4.2 requires, each with its type', async () => {
    for (const [claim, wrong] of Object.entries({ jti: 7, htm: ['GET'], htu: {}, iat: '1800000000', ath: 1 })) {
      for (const value of [undefined, null, '', wrong]) {
        if (claim === 'htu' && value === '') continue
        expect(await withClaims({ [claim]: value })).toBe(`401 bad_proof ${claim}`)
      }
    }
    expect(await withClaims({ unknown: 'x', nonce: 'of another server', exp: 1 })).toBe('200 granted')
  })

  test('[dpop-typ] 4: its type is dpop+jwt', async () => {
    for (const typ of [undefined, 'JWT', 'at+jwt', 'DPOP+JWT', 'application/dpop+jwt', ['dpop+jwt']]) {
      expect(await withHeader({ typ })).toBe('401 bad_proof typ')
    }
  })

  test('[dpop-alg] 5: its algorithm is asymmetric, and one of the list', async () => {
    for (const defect of ['unsigned', 'key_as_secret'] as const) {
      expect(await dpop.outcome({ proof: { defect } })).toBe('401 bad_proof alg')
    }
    const p384 = await dpopKey('ES384')
    const token = await dpop.app.token({ claims: { cnf: { jkt: p384.jkt } } })
    expect(await dpop.outcome({ token, proof: { key: p384 } })).toBe('401 bad_proof alg')
    expect(dpop.app.events.at(-1)?.attributes).toMatchObject({
      algorithm: 'ES384',
      expected_algorithms: 'ES256 EdDSA Ed25519 PS256 RS256',
    })
  })

  test.each(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])('[dpop-alg] 5: %s is accepted', async (algorithm) => {
    const key = await dpopKey(algorithm)
    const token = await dpop.app.token({ claims: { cnf: { jkt: key.jkt } } })
    expect(await dpop.outcome({ token, proof: { key } })).toBe('200 granted')
    expect(await dpop.outcome({ token, proof: { key } })).toBe('200 granted')
    expect(await dpop.outcome({ token, proof: { key, defect: 'wrong_signature' } })).toBe('401 bad_proof signature')
  })

  test('[dpop-signature] 6: its signature is verified with the key in it, also when the key is known', async () => {
    for (const _again of [1, 2]) {
      expect(await dpop.outcome({ proof: { defect: 'wrong_signature' } })).toBe('401 bad_proof signature')
      expect(await dpop.outcome()).toBe('200 granted')
    }
    const token = await dpop.boundToken()
    const [header, claims] = (await dpop.proof(token)).split('.')
    expect(await dpop.outcome({ token, proofs: [`${header}.${claims}.`] })).toBe('401 bad_proof signature')
    const [, , signature] = (await dpop.proof(token)).split('.')
    expect(await dpop.outcome({ token, proofs: [`${header}.${claims}.${signature}`] })).toBe('401 bad_proof signature')
  })

  test('[dpop-public-key] 7: its key is public, and fits the algorithm', async () => {
    expect(await dpop.outcome({ proof: { defect: 'private_key' } })).toBe('401 bad_proof jwk')
    expect(await dpop.outcome({ proof: { defect: 'no_key' } })).toBe('401 bad_proof jwk')
    const { publicJwk } = await dpopKey('RS256')
    for (const jwk of [publicJwk, { kty: 'oct', k: 'c2VjcmV0' }, 'text', [], {}]) {
      expect(await withHeader({ jwk })).toBe('401 bad_proof jwk')
    }
  })

  test('[dpop-htm] 8: its method is that of the request, to the letter', async () => {
    for (const method of ['POST', 'DELETE', 'QUERY']) expect(await dpop.outcome({ method })).toBe('200 granted')
    for (const htm of ['get', 'POST', 'GET ', 'HEAD']) expect(await withClaims({ htm })).toBe('401 bad_proof htm')
  })

  test('[dpop-htu] 9: its URI is that of the request, without query and fragment, in normal form', async () => {
    for (const htu of [`${ORIGIN}/a?b=c#d`, 'HTTPS://MCP.EXAMPLE.COM:443/a', `${ORIGIN}/b/../%61`]) {
      expect(await dpop.outcome({ path: '/a?q=1', proof: { claims: { htu } } })).toBe('200 granted')
    }
    const wrong = {
      'http://mcp.example.com/a': 'origin',
      [`${dpop.app.url}/a`]: 'origin',
      [`${ORIGIN}/a/`]: 'path',
      [`${ORIGIN}/api/a`]: 'prefix',
      '/a': 'origin',
    }
    for (const [htu, hint] of Object.entries(wrong)) {
      const headers = { 'x-forwarded-host': new URL(htu, ORIGIN).host, 'x-forwarded-proto': 'http' }
      expect(await dpop.outcome({ path: '/a', headers, proof: { claims: { htu } } })).toBe('401 bad_proof htu')
      expect(dpop.app.events.at(-1)?.attributes?.hint).toBe(hint)
    }
  })

  test('[dpop-time] 11: it is at most 300 s old, and 300 s ahead', async () => {
    const now = Math.floor(dpop.app.clock.now() / 1000)
    for (const iat of [now - 300, now - 60, now + 60, now + 300, now + 0.5]) {
      expect(await withClaims({ iat })).toBe('200 granted')
    }
    for (const iat of [now - 301, now + 301, 0, -now, 1e300])
      expect(await withClaims({ iat })).toBe('401 bad_proof iat')
    expect(await dpop.outcome({ proof: { defect: 'expired' } })).toBe('401 bad_proof iat')
    expect(dpop.app.events.at(-1)?.attributes).toMatchObject({ late_by_seconds: 3600, window_seconds: 300 })
    expect(await dpop.outcome({ proof: { defect: 'dated_ahead' } })).toBe('401 bad_proof iat')
    expect(dpop.app.events.at(-1)?.attributes).toMatchObject({ early_by_seconds: 3600 })
  })

  test('[dpop-ath] 12a: it is for the token beside it', async () => {
    expect(await dpop.outcome({ proof: { defect: 'other_token' } })).toBe('401 bad_proof ath')
    expect(await dpop.outcome({ proof: { token: await dpop.boundToken() } })).toBe('401 bad_proof ath')
  })

  test('[dpop-jkt] 12b: its key is the one that the token is bound to, on the first request and on each one after it', async () => {
    const thief = await dpopKey()
    const token = await dpop.boundToken()
    for (const _again of [1, 2]) {
      expect(await dpop.outcome({ token, proof: { key: thief } })).toBe('401 bad_proof jkt')
      expect(await dpop.outcome({ token })).toBe('200 granted')
    }
    expect(await dpop.outcome({ token, proof: { defect: 'other_key' } })).toBe('401 bad_proof jkt')
  })
})

test('[dpop-replay] a proof is good once, and what was refused for another reason does not use it up', async () => {
  const token = await dpop.boundToken()
  const proofs = [await dpop.proof(token)]
  expect(await dpop.outcome({ token, proofs, method: 'POST' })).toBe('401 bad_proof htm')
  expect(await dpop.outcome({ token, proofs, path: '/other' })).toBe('401 bad_proof htu')
  const revoked = await dpop.app.token({ claims: { cnf: { jkt: dpop.key.jkt }, exp: 1 } })
  expect(await dpop.outcome({ token: revoked, proof: { claims: { jti: 'one' } } })).toBe('401 expired')
  expect(await dpop.outcome({ token, proof: { claims: { jti: 'one' } } })).toBe('200 granted')
  expect(await dpop.outcome({ token, proofs })).toBe('200 granted')
  expect(await dpop.outcome({ token, proofs })).toBe('401 replayed')
  expect(dpop.app.events.at(-1)).toMatchObject({
    severity: 'critical',
    owasp: 'authn_token_reuse',
    principal: { id: `${dpop.app.issuer.url}|u1` },
    attributes: { scheme: 'dpop', jkt: dpop.key.jkt },
  })
  dpop.app.clock.advance(299_000)
  expect(await dpop.outcome({ token: await dpop.boundToken(), proofs })).toBe('401 bad_proof ath')
  expect(await dpop.outcome({ token, proofs })).toBe('401 replayed')
  const { key } = dpop
  const other = await dpopKey()
  const theirs = await dpop.app.token({ claims: { cnf: { jkt: other.jkt } } })
  expect(await dpop.outcome({ token: theirs, proof: { key: other, claims: { jti: 'one' } } })).toBe('200 granted')
  expect(key.jkt).not.toBe(other.jkt)
})

test('[dpop-forged] a proof with the key of another place, such as jku, is refused, and nothing is fetched', async () => {
  const token = await dpop.boundToken()
  const { privateKey } = dpop.key
  const before = dpop.app.issuer.requests.length
  const proof = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jku: `${dpop.app.issuer.url}/stolen`, kid: 'k1' })
    .sign(privateKey)
  expect(await dpop.outcome({ token, proofs: [proof] })).toBe('401 bad_proof jwk')
  expect(dpop.app.issuer.requests.slice(before)).toEqual([])
})
