import { createPrivateKey, type KeyObject } from 'node:crypto'
import * as client from 'openid-client'

/** What the app proves it with. Without a method, the provider's metadata chooses. */
export type ClientCredential =
  | {
      readonly kind: 'secret'
      readonly secret: string
      readonly method: 'client_secret_basic' | 'client_secret_post' | undefined
    }
  | { readonly kind: 'key'; readonly key: KeyObject; readonly keyId: string | undefined }
  /** Apple's: a JWT that the team's key signs is the secret. */
  | { readonly kind: 'signed_secret'; readonly key: KeyObject; readonly keyId: string; readonly teamId: string }
  | { readonly kind: 'none' }

/** The private key of a text in PEM, whose line breaks may be `\n`, as they are in many environments. Undefined for another text. */
export function privateKeyIn(value: unknown): KeyObject | undefined {
  if (typeof value !== 'string' || !value.includes('PRIVATE KEY-----')) return undefined
  try {
    const key = createPrivateKey(value.replaceAll('\\n', '\n'))
    return algorithmsOf(key).length === 0 ? undefined : key
  } catch {
    return undefined
  }
}

/** The provider takes no client secret, and a secret is what the app has. */
export class NoClientSecret extends Error {}

/** How openid-client authenticates the app at the server whose metadata it has. */
export function clientAuthOf(credential: ClientCredential): client.ClientAuth {
  return async (server, metadata, body, headers) => {
    const authenticate = await methodFor(credential, server)
    await authenticate(server, metadata, body, headers)
  }
}

async function methodFor(credential: ClientCredential, server: client.ServerMetadata): Promise<client.ClientAuth> {
  if (credential.kind === 'none') return client.None()
  if (credential.kind === 'secret') {
    const method = credential.method ?? secretMethodOf(server)
    return method === 'client_secret_basic'
      ? client.ClientSecretBasic(credential.secret)
      : client.ClientSecretPost(credential.secret)
  }
  const key = await importKey(credential, server)
  if (credential.kind === 'signed_secret') return signedSecret(key, credential.teamId)
  // The issuer of a server without metadata is a name of ours; the endpoint is its own (RFC 7523 §3).
  const audience = server.jwks_uri === undefined ? server.token_endpoint : server.issuer
  return client.PrivateKeyJwt(key, {
    [client.modifyAssertion]: (_header, payload) => {
      payload.aud = audience
    },
  })
}

/** OpenID Connect Discovery 1.0 §3: without a word about it, a server takes `client_secret_basic`. */
function secretMethodOf({
  token_endpoint_auth_methods_supported: supported,
}: client.ServerMetadata): 'client_secret_basic' | 'client_secret_post' {
  if (supported === undefined || supported.includes('client_secret_basic')) return 'client_secret_basic'
  if (supported.includes('client_secret_post')) return 'client_secret_post'
  throw new NoClientSecret('its metadata names no method with a client secret')
}

/** https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret */
function signedSecret(key: client.PrivateKey, teamId: string): client.ClientAuth {
  const sign = client.PrivateKeyJwt(key, {
    [client.modifyAssertion]: (_header, payload) => {
      payload.iss = teamId
      delete payload.jti
      delete payload.nbf
    },
  })
  return async (server, metadata, body, headers) => {
    await sign(server, metadata, body, headers)
    body.set('client_secret', body.get('client_assertion') ?? '')
    body.delete('client_assertion')
    body.delete('client_assertion_type')
  }
}

/** JWS algorithms that a key signs with, the best known first (RFC 7518 §3.1). */
function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): readonly string[] {
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= 2048 ? ['RS256', 'PS256'] : []
  const curve = details?.namedCurve ?? ''
  return type === 'ec' && Object.hasOwn(CURVES, curve) ? [(CURVES[curve] as Curve).algorithm] : []
}

interface Curve {
  readonly algorithm: string
  readonly name: string
}

const CURVES: Readonly<Record<string, Curve>> = {
  prime256v1: { algorithm: 'ES256', name: 'P-256' },
  secp384r1: { algorithm: 'ES384', name: 'P-384' },
  secp521r1: { algorithm: 'ES512', name: 'P-521' },
}

async function importKey(
  { key, keyId }: { readonly key: KeyObject; readonly keyId: string | undefined },
  { token_endpoint_auth_signing_alg_values_supported: supported }: client.ServerMetadata,
): Promise<client.PrivateKey> {
  const own = algorithmsOf(key)
  const algorithm = own.find((one) => supported?.includes(one) ?? true) ?? own[0]
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']
  const parameters =
    curve === undefined
      ? { name: algorithm === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: curve.name }
  const bytes = key.export({ type: 'pkcs8', format: 'der' })
  const imported = await crypto.subtle.importKey('pkcs8', new Uint8Array(bytes), parameters, false, ['sign'])
  return { key: imported, ...(keyId === undefined ? {} : { kid: keyId }) }
}
