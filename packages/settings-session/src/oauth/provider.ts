import { isBug } from '@countersign/core/gate-kit'
import * as client from 'openid-client'
import type { SettingsIdentity } from '../principal.js'
import { faultOf, fetchAnswers, unreachable } from './answers.js'
import { clientAuthOf } from './client-credential.js'
import type { EndpointsMode, ResolvedOAuth } from './oauth-options.js'
import { memberAt, subjectFrom } from './subject.js'

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
  /** The answer comes in a form that the provider's page posts. */
  readonly isFormPost: boolean
  /**
   * Where the browser goes to sign in.
   *
   * @throws {UnavailableError} when the provider cannot be asked, or its metadata is another issuer's.
   */
  authorizationUrl(redirectUri: string, binding: SignInBinding): Promise<URL>
  /**
   * Who signed in, from the provider's answer.
   *
   * @throws {UnavailableError} when the provider cannot be asked, or does not accept the app; another error when the answer
   * is not one to this sign-in.
   */
  identify(answer: URL, binding: SignInBinding): Promise<SettingsIdentity>
}

/** A provider over openid-client: PKCE (S256) and state always, `iss` when advertised, nonce with OpenID Connect. */
export function createProvider(options: ResolvedOAuth): Provider {
  const { mode, scope, again, providerName, responseMode } = options
  const isOidc = mode.kind === 'discovery'
  let known: Promise<client.Configuration> | undefined
  const configuration = () => {
    // A failure is asked again; a configuration is kept.
    known ??= configure(options).catch((error: unknown) => {
      known = undefined
      throw isBug(error) ? error : (faultOf(error, providerName) ?? unreachable('the metadata is not usable', error))
    })
    return known
  }

  return {
    id: isOidc ? mode.issuer.href : mode.issuerId,
    name: providerName,
    isFormPost: responseMode === 'form_post',
    async authorizationUrl(redirectUri, { state, nonce, codeVerifier, isAgain }) {
      const config = await configuration()
      return client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        ...(scope === '' ? {} : { scope }),
        state,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...(isOidc ? { nonce } : {}),
        ...(responseMode === 'query' ? {} : { response_mode: responseMode }),
        ...(isAgain ? again.parameters : {}),
        ...(isAgain && again.maxAgeSeconds !== undefined ? { max_age: String(again.maxAgeSeconds) } : {}),
      })
    },
    async identify(answer, { state, nonce, codeVerifier, isAgain }) {
      try {
        const config = await configuration()
        const tokens = await client.authorizationCodeGrant(config, answer, {
          expectedState: state,
          pkceCodeVerifier: codeVerifier,
          ...(isOidc ? { expectedNonce: nonce, idTokenExpected: true } : {}),
          ...(isAgain && again.maxAgeSeconds !== undefined ? { maxAge: again.maxAgeSeconds } : {}),
        })
        if (!isOidc) return await askUserinfo(config, mode, tokens.access_token)
        const { iss, sub } = tokens.claims() as client.IDToken
        return { issuer: iss, subject: subjectFrom(sub) }
      } catch (error) {
        throw faultOf(error, providerName) ?? error
      }
    },
  }
}

async function configure(options: ResolvedOAuth): Promise<client.Configuration> {
  const { mode, clientId, credential, timeoutMs } = options
  const auth = clientAuthOf(credential)
  const timeout = timeoutMs / 1000
  if (mode.kind === 'discovery') {
    const config = await client.discovery(mode.issuer, clientId, undefined, auth, {
      timeout,
      [client.customFetch]: fetchAnswers(options),
      execute: [
        // The id token's signature is checked too, though it comes straight from the token endpoint.
        client.enableNonRepudiationChecks,
        ...(mode.issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
      ],
    })
    config[client.customFetch] = fetchAnswers(options, config.serverMetadata().token_endpoint)
    return config
  }
  const server: client.ServerMetadata = {
    issuer: mode.issuerId,
    authorization_endpoint: mode.authUrl.href,
    token_endpoint: mode.tokenUrl.href,
  }
  const config = new client.Configuration(server, clientId, undefined, auth)
  config.timeout = timeout
  config[client.customFetch] = fetchAnswers(options, mode.tokenUrl.href)
  // The options allow plain http on this machine alone.
  const isPlain = [mode.authUrl, mode.tokenUrl, mode.userinfoUrl].some(({ protocol }) => protocol === 'http:')
  if (isPlain) client.allowInsecureRequests(config)
  return config
}

async function askUserinfo(
  config: client.Configuration,
  { userinfoUrl, subjectClaim, issuerId }: EndpointsMode,
  accessToken: string,
): Promise<SettingsIdentity> {
  const headers = new Headers({ accept: 'application/json' })
  const response = await client.fetchProtectedResource(config, accessToken, userinfoUrl, 'GET', undefined, headers)
  return { issuer: issuerId, subject: subjectFrom(memberAt(await response.json(), subjectClaim)) }
}
