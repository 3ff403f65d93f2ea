import { UnavailableError } from '@countersign/core'
import { isUnavailable } from '@countersign/core/gate-kit'
import * as client from 'openid-client'
import type { SettingsIdentity } from '../principal.js'
import type { EndpointsMode, ResolvedOAuth } from './oauth-options.js'

/** What one sign-in is bound to. All of it is derived from a secret that only the browser holds. */
export interface SignInBinding {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  /** The person must sign in again, not be remembered. */
  readonly isAgain: boolean
}

/** Where people sign in. */
export interface Provider {
  /** The issuer as it was configured. */
  readonly id: string
  readonly name: string
  /**
   * Where the browser goes to sign in.
   *
   * @throws {UnavailableError} when the provider cannot be asked, or its metadata is another issuer's.
   */
  authorizationUrl(redirectUri: string, binding: SignInBinding): Promise<URL>
  /**
   * Who signed in, from the provider's answer.
   *
   * @throws {UnavailableError} when the provider cannot be asked; another error when the answer is not one to this sign-in.
   */
  identify(answer: URL, binding: SignInBinding): Promise<SettingsIdentity>
}

const MAX_ANSWER_BYTES = 1024 * 1024
/** Seconds that a sign-in may be old when the person was asked to sign in again. */
const AGAIN_SECONDS = 60

/** A provider over openid-client: PKCE (S256) and state always, `iss` when advertised, nonce with OpenID Connect. */
export function createProvider(options: ResolvedOAuth): Provider {
  const { mode, scope } = options
  const isOidc = mode.kind === 'discovery'
  let known: Promise<client.Configuration> | undefined
  const configuration = () => {
    // A failure is asked again; a configuration is kept.
    known ??= configure(options).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }

  return {
    id: isOidc ? mode.issuer.href : mode.issuerId,
    name: options.providerName,
    async authorizationUrl(redirectUri, { state, nonce, codeVerifier, isAgain }) {
      const config = await configuration()
      return client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        ...(scope === '' ? {} : { scope }),
        state,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...(isOidc ? { nonce } : {}),
        ...(isAgain ? { prompt: 'login' } : {}),
        ...(isAgain && isOidc ? { max_age: String(AGAIN_SECONDS) } : {}),
      })
    },
    async identify(answer, { state, nonce, codeVerifier, isAgain }) {
      try {
        const config = await configuration()
        const tokens = await client.authorizationCodeGrant(config, answer, {
          expectedState: state,
          pkceCodeVerifier: codeVerifier,
          ...(isOidc ? { expectedNonce: nonce, idTokenExpected: true } : {}),
          ...(isAgain && isOidc ? { maxAge: AGAIN_SECONDS } : {}),
        })
        if (!isOidc) return await askUserinfo(config, mode, tokens.access_token)
        const { iss, sub } = tokens.claims() as client.IDToken
        return { issuer: iss, subject: subjectFrom(sub) }
      } catch (error) {
        throw outageIn(error) ?? error
      }
    },
  }
}

async function configure({ mode, clientId, clientSecret, timeoutMs }: ResolvedOAuth): Promise<client.Configuration> {
  const timeout = timeoutMs / 1000
  if (mode.kind === 'discovery') {
    return client.discovery(mode.issuer, clientId, clientSecret, client.ClientSecretBasic(clientSecret), {
      timeout,
      [client.customFetch]: fetchWhole,
      execute: [
        // The id token's signature is checked too, though it comes straight from the token endpoint.
        client.enableNonRepudiationChecks,
        ...(mode.issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
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
  config[client.customFetch] = fetchWhole
  // The options allow plain http on this machine alone.
  const isPlain = [mode.authUrl, mode.tokenUrl, mode.userinfoUrl].some(({ protocol }) => protocol === 'http:')
  if (isPlain) client.allowInsecureRequests(config)
  return config
}

/** `fetch` that reads an answer to its end: one that stops in the middle is an outage, as a fault of the provider's is. */
const fetchWhole: client.CustomFetch = async (url, options) => {
  try {
    const response = await fetch(url, options as RequestInit)
    const { status, headers } = response
    const body = await bodyOf(response)
    if (status < 500 && status !== 429) return new Response(body.length === 0 ? null : body, { status, headers })
  } catch (error) {
    throw unreachable('the provider gave no whole answer', error)
  }
  throw unreachable('the provider answered with a fault of its own')
}

function unreachable(message: string, cause?: unknown): UnavailableError {
  return new UnavailableError('oauth_provider', message, cause === undefined ? {} : { cause })
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
  { userinfoUrl, subjectClaim, issuerId }: EndpointsMode,
  accessToken: string,
): Promise<SettingsIdentity> {
  const headers = new Headers({ accept: 'application/json' })
  const response = await client.fetchProtectedResource(config, accessToken, userinfoUrl, 'GET', undefined, headers)
  if (response.status !== 200) throw new Error(`userinfo answered ${response.status}`)
  const subject = ((await response.json()) as Readonly<Record<string, unknown>> | null)?.[subjectClaim]
  return { issuer: issuerId, subject: subjectFrom(subject) }
}

/** A person's id: at most 255 characters (OpenID Connect Core §2); some providers have numbers. */
function subjectFrom(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 255) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  throw new Error('the answer does not identify a person')
}

/** The outage of the provider that an error comes from, however deep openid-client wrapped it. */
function outageIn(error: unknown): UnavailableError | undefined {
  let current = error
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (isUnavailable(current)) return current
    const { code } = current as { code?: unknown }
    if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return unreachable('the provider was too slow', error)
    current = current.cause
  }
  return undefined
}
