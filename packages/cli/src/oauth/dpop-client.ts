import { hash, randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { readInput } from '../input.js'

/** A client with the key that a token is bound to. */
export interface DpopClient {
  /** The thumbprint of its key (RFC 7638). */
  readonly jkt: string
  /** A new proof for a request with this token (RFC 9449 §4.2). */
  prove(method: string, url: string, token: string, nonce?: string): Promise<string>
}

/** What a private JWK signs with, by its curve; RSA keys sign with RS256. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'Ed25519',
}
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e']

/** The client of a file with a private JWK (RFC 7517). @throws {CommandError} when it is none. */
export async function readDpopClient(context: Context, file: string): Promise<DpopClient> {
  const text = (await readInput(context, file, 'the DPoP key')).toString('utf8')
  try {
    return await dpopClient(JSON.parse(text) as JWK)
  } catch {
    throw usageError(`${file} has no private key as a JWK (RFC 7517): give the key that the token is bound to`)
  }
}

/** @throws for what is not a private key. */
export async function dpopClient(jwk: JWK): Promise<DpopClient> {
  const alg = jwk.alg ?? ALGORITHMS[String(jwk.crv)] ?? 'RS256'
  if (jwk.d === undefined) throw new TypeError('a private key is expected')
  const key = (await importJWK(jwk, alg)) as CryptoKey
  const publicJwk = Object.fromEntries(Object.entries(jwk).filter(([name]) => PUBLIC_MEMBERS.includes(name))) as JWK
  return {
    jkt: await calculateJwkThumbprint(publicJwk),
    prove: (method, url, token, nonce) =>
      new SignJWT({
        htm: method,
        htu: url.split(/[?#]/, 1)[0],
        ath: hash('sha256', token, 'base64url'),
        ...(nonce === undefined ? {} : { nonce }),
      })
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk: publicJwk })
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(key),
  }
}

/**
 * A `fetch` that presents the token of a request with a proof, and once more with a nonce where the server asks for one (RFC 9449
 * §9). Requests without a token pass.
 */
export function fetchWithProofs(sending: typeof fetch, client: DpopClient, token: string): typeof fetch {
  let nonce: string | undefined
  return async (input, init) => {
    const headers = new Headers(init?.headers)
    if (!headers.has('authorization')) return sending(input, init)
    const send = async () => {
      headers.set('authorization', `DPoP ${token}`)
      headers.set('dpop', await client.prove(init?.method ?? 'GET', String(input), token, nonce))
      const response = await sending(input, { ...init, headers })
      nonce = response.headers.get('dpop-nonce') ?? nonce
      return response
    }
    const first = await send()
    const asksForNonce = first.status === 401 && first.headers.has('dpop-nonce')
    if (!asksForNonce) return first
    await first.body?.cancel()
    return send()
  }
}
