import * as client from 'openid-client'
import type { SettingsIdentity } from '../principal.js'
import { isLoopback, type ResolvedOAuth } from './oauth-options.js'

/** The provider did not answer, or answered with a fault of its own: an outage, not a refusal. */
export class ProviderUnavailableError extends Error {
  override readonly name = 'ProviderUnavailableError'
}

/** What one sign-in is bound to. All of it follows from a secret that only the browser holds. */
export interface SignInBinding {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  /** The person must sign in anew, not be remembered. */
  readonly isAgain: boolean
}

export interface Provider {
  /** The issuer as it was configured. */
  readonly id: string
  readonly name: string
  /** Where the browser goes to sign in. */
  authorizationUrl(redirectUri: string, binding: SignInBinding): Promise<URL>
  /** Who signed in, from the provider's answer. Throws when the answer is not one to this sign-in. */
  identify(answer: URL, binding: SignInBinding): Promise<SettingsIdentity>
}

const MAX_ANSWER_BYTES = 1024 * 1024
/** Seconds that a sign-in may be old when the person was asked to sign in again. */
const AGAIN_SECONDS = 60

/** A provider over openid-client: PKCE (S256) and state always, `iss` when advertised, nonce with OpenID Connect. */
export function createProvider(options: ResolvedOAuth): Provider {
  let known: Promise<client.Configuration> | undefined
  const configuration = () => {
    // What failed is asked for again; what is known stays.
    known ??= configure(options).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
  const isOidc = options.mode.kind === 'discovery'

  return {
    id: options.mode.kind === 'discovery' ? options.mode.issuer.href : options.mode.issuerId,
    name: options.providerName,
    async authorizationUrl(redirectUri, { state, nonce, codeVerifier, isAgain }) {
      const config = await configuration()
      return client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        ...(options.scope === '' ? {} : { scope: options.scope }),
        state,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...(isOidc ? { nonce } : {}),
        ...(isAgain ? { prompt: 'login' } : {}),
        ...(isAgain && isOidc ? { max_age: String(AGAIN_SECONDS) } : {}),
      })
    },
    async identify(answer, { state, nonce, codeVerifier, isAgain }) {
      const config = await configuration()
      const tokens = await client.authorizationCodeGrant(config, answer, {
        expectedState: state,
        pkceCodeVerifier: codeVerifier,
        ...(isOidc ? { expectedNonce: nonce, idTokenExpected: true } : {}),
        ...(isAgain && isOidc ? { maxAge: AGAIN_SECONDS } : {}),
      })
      if (options.mode.kind === 'endpoints') return askUserinfo(config, options.mode, tokens.access_token)
      const { iss, sub } = tokens.claims() as client.IDToken
      return { issuer: iss, subject: subjectFrom(sub) }
    },
  }
}

async function configure({ mode, clientId, clientSecret, timeoutMs }: ResolvedOAuth): Promise<client.Configuration> {
  const fetch = providerFetch
  const timeout = timeoutMs / 1000
  if (mode.kind === 'discovery') {
    return client.discovery(mode.issuer, clientId, clientSecret, client.ClientSecretBasic(clientSecret), {
      timeout,
      [client.customFetch]: fetch,
      execute: [
        // The id token's signature is checked too, though it comes straight from the token endpoint.
        client.enableNonRepudiationChecks,
        ...(isLoopback(mode.issuer) ? [client.allowInsecureRequests] : []),
      ],
    })
  }
  const server: client.ServerMetadata = {
    issuer: mode.issuerId,
    authorization_endpoint: mode.authUrl.href,
    token_endpoint: mode.tokenUrl.href,
  }
  const config = new client.Configuration(server, clientId, clientSecret, client.ClientSecretPost(clientSecret))
  config.timeout = timeout
  config[client.customFetch] = fetch
  if ([mode.authUrl, mode.tokenUrl, mode.userinfoUrl].some(isLoopback)) client.allowInsecureRequests(config)
  return config
}

const providerFetch: client.CustomFetch = async (url, options) => {
  try {
    const response = await fetch(url, options as RequestInit)
    const { status, headers } = response
    // Read to its end here: one that stops in the middle is an outage, too, and no answer.
    const body = await bodyOf(response)
    if (status < 500 && status !== 429) return new Response(body.length === 0 ? null : body, { status, headers })
  } catch (error) {
    throw new ProviderUnavailableError('the provider gave no whole answer', { cause: error })
  }
  throw new ProviderUnavailableError('the provider answered with a fault of its own')
}

async function bodyOf({ body }: Response): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function askUserinfo(
  config: client.Configuration,
  { userinfoUrl, subjectClaim, issuerId }: Extract<ResolvedOAuth['mode'], { kind: 'endpoints' }>,
  accessToken: string,
): Promise<SettingsIdentity> {
  const headers = new Headers({ accept: 'application/json' })
  const response = await client.fetchProtectedResource(config, accessToken, userinfoUrl, 'GET', undefined, headers)
  if (response.status !== 200) throw new Error(`userinfo answered ${response.status}`)
  const subject = ((await response.json()) as Readonly<Record<string, unknown>> | null)?.[subjectClaim]
  return { issuer: issuerId, subject: subjectFrom(subject) }
}

/** A subject that is somebody: OpenID Connect Core §2 has at most 255 characters; some providers have numbers. */
function subjectFrom(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 255) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  throw new Error('the answer names nobody')
}

/** Whether an error is an outage of the provider, however deep openid-client wrapped it. */
export function isProviderOutage(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    if (current instanceof ProviderUnavailableError) return true
    const { code } = current as { code?: unknown }
    if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return true
  }
  return false
}
