import { createHmac, createPublicKey } from 'node:crypto'
import type { JWK } from 'jose'

/** What a token says beside the usual. A member that is undefined is left out. */
export interface TokenParts {
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly header?: Readonly<Record<string, unknown>> | undefined
  /** The key of the client that alone may use the token: see `dpopKey()`. */
  readonly boundTo?: { readonly jkt: string } | undefined
}

/**
 * `expired`, `not_yet_valid`: by an hour. `wrong_issuer`, `wrong_audience`, `no_audience`: in the claims.
 * `wrong_type`: an ID token's `typ`. `unknown_key`: a `kid` that is not published. `wrong_signature`: signed by
 * somebody else's key under our `kid`. `altered`: claims changed after signing. `unsigned`: `alg` none.
 * `public_key_as_secret`: HS256 with the public key as the secret. `not_a_token`: no JWT at all.
 */
export type TokenShape =
  | 'expired'
  | 'not_yet_valid'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'no_audience'
  | 'wrong_type'
  | 'unknown_key'
  | 'wrong_signature'
  | 'altered'
  | 'unsigned'
  | 'public_key_as_secret'
  | 'not_a_token'

interface Mint {
  readonly nowSeconds: number
  readonly publicJwk: JWK
  token(parts?: TokenParts): Promise<string>
  strangerToken(parts?: TokenParts): Promise<string>
}

const HOUR = 3600
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part = ''): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString())

/** How each bad token is made. */
export const SHAPES: Readonly<Record<TokenShape, (mint: Mint) => Promise<string>>> = {
  expired: ({ token, nowSeconds }) => token({ claims: { iat: nowSeconds - 2 * HOUR, exp: nowSeconds - HOUR } }),
  not_yet_valid: ({ token, nowSeconds }) => token({ claims: { nbf: nowSeconds + HOUR, exp: nowSeconds + 2 * HOUR } }),
  wrong_issuer: ({ token }) => token({ claims: { iss: 'https://somebody-else.example.com' } }),
  wrong_audience: ({ token }) => token({ claims: { aud: 'https://another-api.example.com' } }),
  no_audience: ({ token }) => token({ claims: { aud: undefined } }),
  wrong_type: ({ token }) =>
    token({ header: { typ: 'JWT' }, claims: { nonce: 'n', client_id: undefined, scope: undefined } }),
  unknown_key: ({ strangerToken }) => strangerToken({ header: { kid: 'a-key-that-is-not-published' } }),
  wrong_signature: ({ strangerToken }) => strangerToken(),
  altered: async ({ token }) => {
    const [header, claims, signature] = (await token()).split('.')
    return `${header}.${encode({ ...decode(claims), sub: 'somebody-else' })}.${signature}`
  },
  unsigned: async ({ token }) => {
    const [header, claims] = (await token()).split('.')
    return `${encode({ ...decode(header), alg: 'none' })}.${claims}.`
  },
  public_key_as_secret: async ({ token, publicJwk }) => {
    const [header, claims] = (await token()).split('.')
    const input = `${encode({ ...decode(header), alg: 'HS256' })}.${claims}`
    const pem = createPublicKey({ key: publicJwk as Record<string, string>, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    })
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
  },
  not_a_token: async () => 'this-is-not-a-token',
}
