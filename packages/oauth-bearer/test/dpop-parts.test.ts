import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { dpopKey, dpopProof } from '../../../test/support/dpop-proof.js'
import { createNonces } from '../src/proof/nonces.js'
import { createProofKeys, type ProofKey } from '../src/proof/proof-keys.js'
import { badProof, type Proof, type ProofSubject, readProof } from '../src/proof/read-proof.js'
import { targetOf } from '../src/proof/target-uri.js'

const ALGORITHMS = ['ES256', 'EdDSA', 'RS256']
const RULES = { algorithms: ALGORITHMS, windowMs: 300_000, nonces: undefined }
const AT_ROOT = { origin: 'https://resource.example.org', strippedPrefix: '' }

/** The request of RFC 9449 §7.1. */
const RFC = {
  token: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
  jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
  issuedAt: 1_562_262_618_000,
  proof:
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19' +
    '.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9' +
    '.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
}

const subject = (parts: Partial<ProofSubject> = {}): ProofSubject => ({
  lines: [RFC.proof],
  method: 'GET',
  target: targetOf('/protectedresource', AT_ROOT),
  token: RFC.token,
  ...parts,
})
const accepted = (read: ReturnType<typeof readProof>): Proof => {
  if ('outcome' in read) throw new Error(JSON.stringify(read))
  return read
}

describe('[dpop-vectors] the example of RFC 9449 §7.1', () => {
  test('is accepted, and its key is the one of the token in §6.1', async () => {
    const { jws, headerText, jti, endsAt } = accepted(readProof(subject(), RULES, RFC.issuedAt))
    expect({ jti, endsAt }).toEqual({ jti: 'e1j3V_bKic8-LAEB', endsAt: RFC.issuedAt + 300_000 })
    const keys = createProofKeys(10)
    const key = await keys.find(jws.header, headerText, '')
    expect(key?.jkt).toBe(RFC.jkt)
    expect(key?.verify(jws.signed, jws.signature)).toBe(true)
    expect(key?.verify(jws.signed, Buffer.alloc(64, 1))).toBe(false)
  })

  test('is refused for another method, URL, token and time, and as one of two', () => {
    const at = RFC.issuedAt
    const partOf = (parts: Partial<ProofSubject>, now = at) => readProof(subject(parts), RULES, now)
    expect(partOf({ method: 'get' })).toEqual(badProof('htm'))
    expect(partOf({ target: targetOf('/protectedresource/', AT_ROOT) })).toEqual(badProof('htu', { hint: 'path' }))
    expect(partOf({ token: `${RFC.token}A` })).toEqual(badProof('ath'))
    expect(partOf({}, at + 300_001)).toEqual(badProof('iat', { late_by_seconds: 300.001, window_seconds: 300 }))
    expect(partOf({}, at - 300_001)).toEqual(badProof('iat', { early_by_seconds: 300.001, window_seconds: 300 }))
    expect(partOf({ lines: [] })).toEqual(badProof('missing'))
    expect(partOf({ lines: [RFC.proof, RFC.proof] })).toEqual(badProof('several'))
    expect(partOf({ lines: [`${RFC.proof}, ${RFC.proof}`] })).toEqual(badProof('form'))
  })
})

test('[dpop-vectors] a thumbprint is that of RFC 7638 §3.1, whatever members the key has beside the required ones', async () => {
  const jwk = {
    kty: 'RSA',
    n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    e: 'AQAB',
    alg: 'RS256',
    kid: '2011-04-29',
  }
  const key = await createProofKeys(10).find({ alg: 'RS256', jwk }, 'header', '')
  expect(key?.jkt).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
})

test('keys that are private, symmetric, weak, or of another algorithm are none', async () => {
  const keys = createProofKeys(10)
  const { publicJwk, privateJwk } = await dpopKey()
  const find = (jwk: unknown, alg = 'ES256') => keys.find({ alg, jwk }, JSON.stringify([alg, jwk]), '')
  expect(await find(publicJwk)).toMatchObject({ jkt: await calculateJwkThumbprint(publicJwk) })
  for (const wrong of [
    privateJwk,
    { ...publicJwk, d: '' },
    { kty: 'oct', k: 'c2VjcmV0' },
    { ...publicJwk, crv: 'P-384' },
    { ...publicJwk, x: publicJwk.y },
    { ...publicJwk, use: 'enc' },
    { ...publicJwk, x: 1 },
    [publicJwk],
    'text',
    null,
  ]) {
    expect(await find(wrong)).toBeUndefined()
  }
  expect(await find(publicJwk, 'RS256')).toBeUndefined()
  expect(
    await find({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') }, 'RS256'),
  ).toBeUndefined()
  const { publicJwk: rsa } = await dpopKey('RS256')
  const exponents = {
    AQAB: true,
    Aw: true,
    AQ: false,
    AQAA: false,
    [Buffer.alloc(9, 255).toString('base64url')]: false,
  }
  // A verification with an exponent as long as the modulus takes 30 ms.
  for (const [e, isGood] of Object.entries(exponents)) {
    expect((await find({ ...rsa, e }, 'RS256')) !== undefined).toBe(isGood)
  }
})

test('a client has one key among those that are known, however it writes its headers', async () => {
  const keys = createProofKeys(2)
  const [one, other] = [await dpopKey(), await dpopKey()]
  const find = (key: typeof one, text: string) => keys.find({ alg: 'ES256', jwk: key.publicJwk }, text, key.jkt)
  const known = await find(other, 'other')
  keys.keep('other', known as ProofKey)
  for (const text of ['a', 'b', 'c']) keys.keep(text, (await find(one, text)) as ProofKey)
  expect(find(other, 'other')).toBe(known)
  // The text of one key's header finds no other key.
  expect(await keys.find({ alg: 'ES256', jwk: one.publicJwk }, 'other', one.jkt)).not.toBe(known)
  expect(await keys.find({ alg: 'ES256', jwk: one.publicJwk }, 'c', other.jkt)).toMatchObject({ jkt: one.jkt })
})

describe('the URI of a request', () => {
  const target = (path: string, htu: string, strippedPrefix = '') =>
    targetOf(path, { origin: 'https://mcp.example.com', strippedPrefix }).differenceOf(htu)

  test.each([
    ['/mcp', 'https://mcp.example.com/mcp'],
    ['/mcp?session=1', 'https://mcp.example.com/mcp'],
    ['/mcp', 'https://mcp.example.com/mcp?session=1#top'],
    ['/mcp', 'HTTPS://MCP.Example.COM:443/mcp'],
    ['/', 'https://mcp.example.com'],
    ['/a%2Fb%7e', 'https://mcp.example.com/a%2fb~'],
    ['/%61', 'https://mcp.example.com/a'],
    ['/a/b', 'https://mcp.example.com/x/../a/./b'],
    ['https://proxy.internal/mcp', 'https://mcp.example.com/mcp'],
    ['https://proxy.internal', 'https://mcp.example.com/'],
    ['/a/../b', 'https://mcp.example.com/a/../b'],
  ])('%s is %s', (path, htu) => {
    expect(target(path, htu)).toBeUndefined()
  })

  test.each([
    ['/mcp', 'http://mcp.example.com/mcp', 'origin'],
    ['/mcp', 'https://mcp.example.com:8443/mcp', 'origin'],
    ['/mcp', 'https://mcp.example.com.evil.example/mcp', 'origin'],
    ['/mcp', 'https://mcp.example.com@evil.example/mcp', 'origin'],
    ['/mcp', 'https://user@mcp.example.com/mcp', 'origin'],
    ['/mcp', '/mcp', 'origin'],
    ['/mcp', 'https://mcp.example.com\\mcp', 'origin'],
    ['/mcp', ' https://mcp.example.com/mcp', 'origin'],
    ['/mcp', 'https://mcp.example.com/mcp/', 'path'],
    ['/mcp', 'https://mcp.example.com/MCP', 'path'],
    ['/a/b', 'https://mcp.example.com/a%2Fb', 'path'],
    ['/mcp', 'https://mcp.example.com/api/mcp', 'prefix'],
    // A router takes these for paths of their own, whatever their normal form is.
    ['/a/../mcp', 'https://mcp.example.com/mcp', 'path'],
    ['/a/%2e%2E/mcp', 'https://mcp.example.com/mcp', 'path'],
    ['https://mcp.example.com/a/../mcp', 'https://mcp.example.com/mcp', 'path'],
    ['https://mcp.example.com/%2e%2e/mcp', 'https://mcp.example.com/mcp', 'path'],
    ['https://mcp.example.com\\a/mcp', 'https://mcp.example.com/mcp', 'path'],
  ])('%s is not %s', (path, htu, difference) => {
    expect(target(path, htu)).toBe(difference)
  })

  test('has what a proxy removed before its path, and only then', () => {
    expect(target('/mcp', 'https://mcp.example.com/api/mcp', '/api')).toBeUndefined()
    expect(target('/mcp', 'https://mcp.example.com/mcp', '/api')).toBe('path')
  })

  test('is compared without a throw, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (path, htu) => {
        expect([undefined, 'origin', 'path', 'prefix']).toContain(target(`/${path}`, htu))
        expect([undefined, 'origin', 'path', 'prefix']).toContain(target(`/${path}`, `https://mcp.example.com/${htu}`))
      }),
    )
  })
})

describe('nonces', () => {
  const AT = 1_800_000_000_000
  const SECRET = Buffer.alloc(32, 7)
  const nonces = createNonces(SECRET, 300_000, 'https://mcp.example.com/mcp')

  test('are accepted for their lifetime, by each process with the secret, with clocks 60 s apart', () => {
    const nonce = nonces.fresh(AT)
    const other = createNonces(SECRET, 300_000, 'https://mcp.example.com/mcp')
    for (const now of [AT, AT + 299_999, AT - 60_000]) expect(other.endOf(nonce, now)).toBe(AT + 300_000)
    expect(other.endOf(nonce, AT + 300_000)).toBeUndefined()
    expect(other.endOf(nonce, AT - 121_000)).toBeUndefined()
    expect(nonces.fresh(AT + 1000)).not.toBe(nonce)
  })

  test('of another secret or resource, and altered ones, are not accepted', () => {
    const nonce = nonces.fresh(AT)
    expect(createNonces(Buffer.alloc(32, 8), 300_000, 'https://mcp.example.com/mcp').endOf(nonce, AT)).toBeUndefined()
    expect(createNonces(SECRET, 300_000, 'https://mcp.example.com/').endOf(nonce, AT)).toBeUndefined()
    fc.assert(
      fc.property(fc.nat(nonce.length - 1), fc.constantFrom(...'AQgwZ09-_.= '), (at, character) => {
        const altered = nonce.slice(0, at) + character + nonce.slice(at + 1)
        expect(nonces.endOf(altered, AT) === undefined || altered === nonce).toBe(true)
      }),
    )
    for (const wrong of ['', nonce.slice(1), `${nonce}A`, `${nonce} `]) expect(nonces.endOf(wrong, AT)).toBeUndefined()
  })

  test('are to be replaced in the second half of their life', () => {
    expect(nonces.isEnding(AT + 300_000, AT + 149_000)).toBe(false)
    expect(nonces.isEnding(AT + 300_000, AT + 151_000)).toBe(true)
  })
})

test('any text is read as a proof without a throw, in linear time', async () => {
  const key = await dpopKey()
  const good = await dpopProof({
    key,
    url: 'https://resource.example.org/protectedresource',
    token: RFC.token,
    now: RFC.issuedAt,
  })
  expect(accepted(readProof(subject({ lines: [good] }), RULES, RFC.issuedAt)).jti).toHaveLength(36)
  fc.assert(
    fc.property(fc.nat(good.length), fc.string({ maxLength: 5 }), (at, text) => {
      const lines = [good.slice(0, at) + text + good.slice(at + text.length)]
      const read = readProof(subject({ lines }), RULES, RFC.issuedAt)
      expect('outcome' in read ? read.reason : typeof read.jti).toMatch(/^(?:bad_proof|string)$/)
    }),
  )
})
