// A client with a key as a process of its own: it gets a bound token, and calls an API. It says over IPC what it saw.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'

const { ISSUER = '', API = '', LIBRARY = '' } = process.env
const CLIENT_ID = 'machine'
const SECRET = 'the-secret-of-the-machine'
// Everything here is on loopback.
const INSECURE = { [oauth.allowInsecureRequests]: true }

/** What a client does, in the terms of its library. */
interface Client {
  readonly type: string
  readonly token: string
  /** The status of a request, which the library may send again with a nonce. */
  call(method: string, url: string): Promise<number>
}

export interface Told {
  readonly type: string
  readonly claims: { readonly cnf?: { readonly jkt?: string } } | undefined
  readonly seen: readonly number[]
}

async function throughOauth4webapi(): Promise<Client> {
  const url = new URL(ISSUER)
  const answered = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...INSECURE })
  const server = await oauth.processDiscoveryResponse(url, answered)
  const client: oauth.Client = { client_id: CLIENT_ID }
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const parameters = { resource: API, scope: 'files:read' }
  const options = { DPoP, ...INSECURE }
  const response = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    oauth.ClientSecretBasic(SECRET),
    parameters,
    options,
  )
  const tokens = await oauth.processClientCredentialsResponse(server, client, response)
  const call = (method: string, to: string) =>
    oauth.protectedResourceRequest(tokens.access_token, method, new URL(to), undefined, undefined, options)
  return {
    type: tokens.token_type,
    token: tokens.access_token,
    async call(method, to) {
      try {
        return (await call(method, to)).status
      } catch (error) {
        if (!oauth.isDPoPNonceError(error)) throw error
        return (await call(method, to)).status
      }
    },
  }
}

async function throughOpenidClient(): Promise<Client> {
  const config = await openid.discovery(new URL(ISSUER), CLIENT_ID, undefined, openid.ClientSecretBasic(SECRET), {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  })
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'))
  const tokens = await openid.clientCredentialsGrant(config, { resource: API, scope: 'files:read' }, { DPoP })
  return {
    type: tokens.token_type,
    token: tokens.access_token,
    call: async (method, to) => {
      const url = new URL(to)
      const { access_token: token } = tokens
      return (await openid.fetchProtectedResource(config, token, url, method, undefined, undefined, { DPoP })).status
    },
  }
}

const LIBRARIES: Readonly<Record<string, () => Promise<Client>>> = {
  oauth4webapi: throughOauth4webapi,
  'openid-client': throughOpenidClient,
}
const make = LIBRARIES[LIBRARY]
if (make === undefined) throw new Error('LIBRARY must name a library')
const client = await make()
const seen = [await client.call('GET', API), await client.call('POST', `${API}?a=b`), await client.call('GET', API)]
// Another one has found the token.
const stolen = await fetch(API, { headers: { authorization: `Bearer ${client.token}` } })
const [, claims] = client.token.split('.')
process.send?.({
  type: client.type,
  claims: claims === undefined ? undefined : JSON.parse(Buffer.from(claims, 'base64url').toString()),
  seen: [...seen, stolen.status],
})
process.disconnect?.()
