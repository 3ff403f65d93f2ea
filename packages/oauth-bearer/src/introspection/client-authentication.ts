import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { CheckedIntrospectionOptions } from './introspection-options.js'

/** The parts of a request by which a client authenticates to an authorization server. */
export interface ClientAuthentication {
  readonly headers: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, string>>
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_SECONDS = 60

type Authenticate = (options: CheckedIntrospectionOptions, issuer: string, now: number) => Promise<ClientAuthentication>

/** The methods of client authentication (RFC 6749 §2.3.1, RFC 7523 §2.2). */
export const clientAuthentication: Readonly<Record<CheckedIntrospectionOptions['authMethod'], Authenticate>> = {
  async client_secret_basic({ clientId, clientSecret = '' }) {
    const pair = `${formEncode(clientId)}:${formEncode(clientSecret)}`
    return { headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }, parameters: {} }
  },

  async client_secret_post({ clientId, clientSecret = '' }) {
    return { headers: {}, parameters: { client_id: clientId, client_secret: clientSecret } }
  },

  async private_key_jwt({ clientId, privateKey, keyId, signingAlgorithm }, issuer, now) {
    if (privateKey === undefined) throw new TypeError('private_key_jwt needs a private key')
    const seconds = Math.floor(now / 1000)
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: signingAlgorithm, ...(keyId === undefined ? {} : { kid: keyId }) })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + ASSERTION_SECONDS)
      .sign(privateKey)
    const parameters = { client_id: clientId, client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }
    return { headers: {}, parameters }
  },
}

/** application/x-www-form-urlencoded (RFC 6749 §2.3.1): a colon in an id would otherwise end it. */
function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
