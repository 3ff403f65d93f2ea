import { createHmac, type createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CompactSign, compactVerify, exportJWK, importJWK } from 'jose'
import { publicKeyVerifier, secretVerifier } from '../src/keys/signature.js'

const pairs = {
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed25519: generateKeyPairSync('ed25519'),
}

const algorithms: readonly (readonly [string, keyof typeof pairs])[] = [
  ['RS256', 'RSA'],
  ['RS384', 'RSA'],
  ['RS512', 'RSA'],
  ['PS256', 'RSA'],
  ['PS384', 'RSA'],
  ['PS512', 'RSA'],
  ['ES256', 'P-256'],
  ['ES384', 'P-384'],
  ['ES512', 'P-521'],
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'Ed25519'],
]

/** What jose signs, in its parts. */
async function sign(algorithm: string, pair: keyof typeof pairs) {
  const jws = await new CompactSign(randomBytes(40))
    .setProtectedHeader({ alg: algorithm })
    .sign(pairs[pair].privateKey as never)
  const [header, payload, signature = ''] = jws.split('.')
  return { jws, signed: Buffer.from(`${header}.${payload}`), signature: Buffer.from(signature, 'base64url') }
}

describe.each(algorithms)('%s', (algorithm, pair) => {
  const key = pairs[pair].publicKey
  const verify = publicKeyVerifier(key, algorithm)

  test('accepts what jose signs, and nothing that jose refuses', async () => {
    const { signed, signature } = await sign(algorithm, pair)
    expect(verify(signed, signature)).toBe(true)
    const jwk = await importJWK({ ...(await exportJWK(key)), alg: algorithm }, algorithm)
    await fc.assert(
      fc.asyncProperty(fc.nat(signature.length * 8 - 1), fc.boolean(), async (bit, inSignature) => {
        const changed = Buffer.from(inSignature ? signature : signed)
        const at = (bit >> 3) % changed.length
        changed[at] = (changed[at] as number) ^ (1 << (bit & 7))
        const [what, by] = inSignature ? [signed, changed] : [changed, signature]
        const jws = `${what.toString()}.${by.toString('base64url')}`
        const isTakenByJose = await compactVerify(jws, jwk).then(
          () => true,
          () => false,
        )
        expect([verify(what, by), isTakenByJose]).toEqual([false, false])
      }),
      { numRuns: 30 },
    )
  })

  test('refuses a signature of any other length or content, and never throws', async () => {
    const { signed, signature } = await sign(algorithm, pair)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => verify(signed, bytes) === false))
    expect(verify(signed, Buffer.alloc(signature.length))).toBe(false)
    expect(verify(signed, Buffer.alloc(signature.length, 0xff))).toBe(false)
    expect(verify(signed, signature.subarray(0, -1))).toBe(false)
    expect(verify(signed, Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false)
  })

  test('refuses a good signature of another key of the same kind', async () => {
    const { signed, signature } = await sign(algorithm, pair)
    const others: Record<string, () => { publicKey: ReturnType<typeof createPublicKey> }> = {
      RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
      Ed25519: () => generateKeyPairSync('ed25519'),
    }
    const other = (others[pair] ?? (() => generateKeyPairSync('ec', { namedCurve: pair })))()
    expect(publicKeyVerifier(other.publicKey, algorithm)(signed, signature)).toBe(false)
  })
})

test('an ECDSA signature in DER is not a JWS signature', async () => {
  const { sign: signDer } = await import('node:crypto')
  const signed = Buffer.from('header.payload')
  const der = signDer('sha256', signed, pairs['P-256'].privateKey)
  expect(publicKeyVerifier(pairs['P-256'].publicKey, 'ES256')(signed, der)).toBe(false)
  const raw = signDer('sha256', signed, { key: pairs['P-256'].privateKey, dsaEncoding: 'ieee-p1363' })
  expect(publicKeyVerifier(pairs['P-256'].publicKey, 'ES256')(signed, raw)).toBe(true)
})

test.each([
  ['HS256', 'sha256', 32],
  ['HS384', 'sha384', 48],
  ['HS512', 'sha512', 64],
] as const)('%s accepts the whole MAC and no part of it', (algorithm, digest, length) => {
  const secret = randomBytes(64)
  const signed = Buffer.from('header.payload')
  const mac = createHmac(digest, secret).update(signed).digest()
  const verify = secretVerifier(secret, algorithm)
  expect(mac).toHaveLength(length)
  expect(verify(signed, mac)).toBe(true)
  expect(verify(signed, mac.subarray(0, -1))).toBe(false)
  expect(verify(signed, Buffer.alloc(0))).toBe(false)
  expect(secretVerifier(randomBytes(64), algorithm)(signed, mac)).toBe(false)
})
