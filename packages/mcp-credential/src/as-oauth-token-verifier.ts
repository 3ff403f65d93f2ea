import type { McpCredentials } from './create-mcp-credentials.js'
import { authInfoFrom, type McpAuthInfo } from './gate/auth-info.js'
import { principalFrom } from './principal.js'

/** The MCP SDK's `OAuthTokenVerifier`. */
export interface McpOAuthTokenVerifier {
  verifyAccessToken(token: string): Promise<McpAuthInfo>
}

export interface VerifierOptions {
  /**
   * Makes the error that the SDK answers with 401. v1: `(message) => new InvalidTokenError(message)`; v2:
   * `(message) => new OAuthError(OAuthErrorCode.InvalidToken, message)`. This package does not depend on the SDK.
   */
  readonly invalidToken: (message: string) => Error
}

/**
 * Gives the MCP SDK's own `requireBearerAuth` our verification. What cannot be asked rejects as it does in `resolve`;
 * the SDK answers that with 500.
 *
 * @example
 * requireBearerAuth({ verifier: asOAuthTokenVerifier(credentials, { invalidToken: (m) => new InvalidTokenError(m) }) })
 */
export function asOAuthTokenVerifier(credentials: McpCredentials, options: VerifierOptions): McpOAuthTokenVerifier {
  const { invalidToken } = options
  if (typeof invalidToken !== 'function') {
    const error = new TypeError('asOAuthTokenVerifier: option "invalidToken" must be a function that makes an error')
    throw Object.assign(error, { code: 'ERR_OPTION_MISSING', option: 'invalidToken' })
  }
  return {
    async verifyAccessToken(token) {
      const { standing, credential } = await credentials.resolve(token)
      if (standing === 'live' && credential !== undefined) return authInfoFrom(principalFrom(credential))
      throw invalidToken(credential === undefined ? 'The credential is not valid' : `The credential is ${standing}`)
    },
  }
}
