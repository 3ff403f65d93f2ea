import { createHmac, hash, randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** The key of a DPoP client. */
export interface DpopKey {
  /** Its thumbprint (RFC 7638): `cnf.jkt` of the tokens that are bound to it. */
  readonly jkt: string
  readonly algorithm: string
  readonly publicJwk: JWK
  readonly privateJwk: JWK
  readonly privateKey: CryptoKey
}

/** Makes the key of a client. `algorithm`: that of its proofs, default ES256. */
export async function dpopKey(algorithm = 'ES256'): Promise<DpopKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const privateJwk = await exportJWK(privateKey)
  return { jkt: await calculateJwkThumbprint(publicJwk), algorithm, publicJwk, privateJwk, privateKey }
}

/** Options of {@link dpopProof}. */
export interface DpopProofOptions {
  readonly key: DpopKey
  /** Default `GET`. */
  readonly method?: string | undefined
  /** The URL as the client knows it: with the origin of the gate's `resource`. Query and fragment are left out. */
  readonly url: string
  /** The access token that is presented with the proof. */
  readonly token: string
  /** What the server said in `DPoP-Nonce`. */
  readonly nonce?: string | undefined
  /** Milliseconds since the epoch, or a clock to ask, such as `fakeClock()`. Default: the system clock. */
  readonly now?: number | { now(): number } | undefined
  /** In place of the usual members; one that is undefined is left out. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly header?: Readonly<Record<string, unknown>> | undefined
  /** Makes the proof one that a resource must refuse, in this way. */
  readonly defect?: DpopProofDefect | undefined
}

/**
 * `wrong_type`, `wrong_method`, `wrong_url`, `other_token`: for something else. `expired`, `dated_ahead`: by an hour. `no_id`: no
 * `jti`. `no_key`: no `jwk`. `private_key`: it has the private key in it. `other_key`: made with a key that the token is not
 * bound to. `wrong_signature`: signed with another key than it names. `unsigned`: `alg` none. `key_as_secret`: HS256 with the
 * public key as the secret. `not_a_proof`: no JWT at all.
 */
export type DpopProofDefect =
  | 'wrong_type'
  | 'wrong_method'
  | 'wrong_url'
  | 'other_token'
  | 'expired'
  | 'dated_ahead'
  | 'no_id'
  | 'no_key'
  | 'private_key'
  | 'other_key'
  | 'wrong_signature'
  | 'unsigned'
  | 'key_as_secret'
  | 'not_a_proof'

const HOUR = 3600

type Changed = Pick<DpopProofOptions, 'claims' | 'header'>

/** What a defect changes before the proof is signed. */
const BEFORE: Partial<Record<DpopProofDefect, (options: DpopProofOptions, seconds: number) => Changed>> = {
  wrong_type: () => ({ header: { typ: 'JWT' } }),
  wrong_method: ({ method }) => ({ claims: { htm: method === 'PUT' ? 'POST' : 'PUT' } }),
  wrong_url: ({ url }) => ({ claims: { htu: `${uriOf(url)}/other` } }),
  other_token: ({ token }) => ({ claims: { ath: hash('sha256', `${token}.`, 'base64url') } }),
  expired: (_options, seconds) => ({ claims: { iat: seconds - HOUR } }),
  dated_ahead: (_options, seconds) => ({ claims: { iat: seconds + HOUR } }),
  no_id: () => ({ claims: { jti: undefined } }),
  no_key: () => ({ header: { jwk: undefined } }),
  private_key: ({ key }) => ({ header: { jwk: key.privateJwk } }),
}

/**
 * A DPoP proof (RFC 9449) as a client would make it, or with a defect on purpose. Each call has an id of its own: send one
 * result twice to see a replay refused.
 *
 * @example
 * const key = await dpopKey()
 * const token = await issuer.token({ boundTo: key })
 * const proof = await dpopProof({ key, token, method: 'GET', url: `${issuer.resource}/files` })
 * await fetch(url, { headers: { authorization: `DPoP ${token}`, dpop: proof } })
 */
export async function dpopProof(options: DpopProofOptions): Promise<string> {
  const { key, method = 'GET', url, token, nonce, now = Date.now(), defect } = options
  if (defect === 'not_a_proof') return 'this-is-not-a-proof'
  const seconds = Math.floor((typeof now === 'number' ? now : now.now()) / 1000)
  const changed = defect === undefined ? undefined : BEFORE[defect]?.(options, seconds)
  const named = defect === 'other_key' ? await dpopKey(key.algorithm) : key
  const signing = defect === 'wrong_signature' ? await dpopKey(key.algorithm) : named
  const usual = {
    jti: randomUUID(),
    htm: method,
    htu: uriOf(url),
    iat: seconds,
    ath: hash('sha256', token, 'base64url'),
    nonce,
  }
  const header = { typ: 'dpop+jwt', jwk: named.publicJwk, ...changed?.header, ...options.header }
  const proof = await new SignJWT(withoutUndefined({ ...usual, ...changed?.claims, ...options.claims }))
    .setProtectedHeader({ ...withoutUndefined(header), alg: signing.algorithm })
    .sign(signing.privateKey)
  if (defect === 'unsigned') return resigned(proof, 'none', () => '')
  if (defect !== 'key_as_secret') return proof
  const secret = JSON.stringify(key.publicJwk)
  return resigned(proof, 'HS256', (input) => createHmac('sha256', secret).update(input).digest('base64url'))
}

function uriOf(url: string): string {
  return url.split(/[?#]/, 1)[0] as string
}

function resigned(proof: string, alg: string, sign: (input: string) => string): string {
  const [header = '', claims] = proof.split('.')
  const members = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg }
  const input = `${Buffer.from(JSON.stringify(members)).toString('base64url')}.${claims}`
  return `${input}.${sign(input)}`
}

function withoutUndefined(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined))
}
