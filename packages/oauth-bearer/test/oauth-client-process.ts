// An OAuth client as a process of its own: it knows the URL of an API and nothing else. It says over IPC what it saw.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { agree } from './oauth-person.js'

const REDIRECT = 'http://127.0.0.1:9/callback'
const METADATA = {
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  application_type: 'native',
}
// Everything here is on loopback.
const INSECURE = { [oauth.allowInsecureRequests]: true }

/** What a client does, in the terms of its library. */
interface Library {
  /** Finds the authorization server and registers there. */
  prepare(issuer: string): Promise<void>
  /** An access token for this resource, by the code flow with PKCE. */
  authorize(resource: string, scope: string): Promise<string>
  /** The status, and what the challenge says. */
  call(token: string, method: string, url: string): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly challenge?: Readonly<Record<string, string | undefined>>
}

function throughOauth4webapi(): Library {
  let server: oauth.AuthorizationServer
  let client: oauth.Client
  return {
    async prepare(issuer) {
      const url = new URL(issuer)
      const answered = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...INSECURE })
      server = await oauth.processDiscoveryResponse(url, answered)
      const registered = await oauth.dynamicClientRegistrationRequest(server, METADATA, INSECURE)
      client = await oauth.processDynamicClientRegistrationResponse(registered)
    },
    async authorize(resource, scope) {
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const url = new URL(String(server.authorization_endpoint))
      url.search = String(
        new URLSearchParams({
          client_id: client.client_id,
          redirect_uri: REDIRECT,
          response_type: 'code',
          scope,
          state,
          resource,
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        }),
      )
      const parameters = oauth.validateAuthResponse(server, client, await agree(url, REDIRECT), state)
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        parameters,
        REDIRECT,
        verifier,
        { additionalParameters: { resource }, ...INSECURE },
      )
      return (await oauth.processAuthorizationCodeResponse(server, client, response)).access_token
    },
    call: (token, method, url) =>
      answerOf(oauth.protectedResourceRequest(token, method, new URL(url), undefined, undefined, INSECURE)),
  }
}

function throughOpenidClient(): Library {
  let config: openid.Configuration
  return {
    async prepare(issuer) {
      config = await openid.dynamicClientRegistration(new URL(issuer), METADATA, openid.None(), {
        algorithm: 'oauth2',
        execute: [openid.allowInsecureRequests],
      })
    },
    async authorize(resource, scope) {
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const expectedState = openid.randomState()
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope,
        state: expectedState,
        resource,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const back = new URL(`${REDIRECT}?${await agree(url, REDIRECT)}`)
      const tokens = await openid.authorizationCodeGrant(
        config,
        back,
        { pkceCodeVerifier, expectedState },
        { resource },
      )
      return tokens.access_token
    },
    call: (token, method, url) => answerOf(openid.fetchProtectedResource(config, token, new URL(url), method)),
  }
}

async function answerOf(sent: Promise<Response>): Promise<Answer> {
  try {
    return { status: (await sent).status }
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error
    return { status: error.status, challenge: { ...error.cause[0]?.parameters } }
  }
}

/** From the URL of the API to what its token may do, and over a step-up to what it may not. */
async function run(library: Library, api: string): Promise<void> {
  const resource = new URL(api)
  const bare = await fetch(resource)
  const found = await oauth.resourceDiscoveryRequest(resource, INSECURE)
  const metadata = await oauth.processResourceDiscoveryResponse(resource, found)
  await library.prepare(String(metadata.authorization_servers?.[0]))
  const token = await library.authorize(metadata.resource, 'files:read')
  const read = await library.call(token, 'GET', api)
  const refused = await library.call(token, 'POST', api)
  const more = await library.authorize(metadata.resource, `files:read ${refused.challenge?.scope}`)
  const written = await library.call(more, 'POST', api)
  const garbage = await library.call('garbage', 'GET', api)
  process.send?.({ metadata, seen: [{ status: bare.status }, read, refused, written, garbage] })
}

const LIBRARIES: Readonly<Record<string, () => Library>> = {
  oauth4webapi: throughOauth4webapi,
  'openid-client': throughOpenidClient,
}
const library = LIBRARIES[String(process.env.LIBRARY)]
if (library === undefined) throw new Error('LIBRARY must name a library')
await run(library(), String(process.env.API))
process.disconnect?.()
