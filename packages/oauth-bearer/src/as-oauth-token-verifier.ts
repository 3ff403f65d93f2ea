import type { McpAuthInfo } from './auth-info.js'
import type { OAuthBearerGate } from './require-oauth-bearer.js'
import { verifierOf } from './verifier-of.js'
import { VerifierUnavailable } from './verifier-unavailable.js'

/** The port that the MCP SDK's `requireBearerAuth` asks. */
export interface McpTokenVerifier {
  verifyAccessToken(token: string): Promise<McpAuthInfo>
}

export interface McpTokenVerifierOptions {
  /**
   * Makes the error that the SDK answers with 401. Version 2 of the SDK knows the one that is made by default; version 1
   * wants its own: `(message) => new InvalidTokenError(message)`.
   */
  readonly invalidToken?: (message: string) => Error
}

const MESSAGE = 'The access token is not valid for this resource'
/** By these the MCP SDK recognises its errors across copies of itself. */
const BRANDS = Symbol.for('mcp.sdk.errorBrands')

/** An `invalid_token` in the shape that version 2 of the MCP SDK recognises. */
class InvalidTokenError extends Error {
  override readonly name = 'OAuthError'
  readonly code = 'invalid_token'

  constructor(message: string) {
    super(message)
    Object.defineProperty(this, BRANDS, { value: new Set(['mcp.OAuthError']) })
  }

  toResponseObject(): { error: string; error_description: string } {
    return { error: this.code, error_description: this.message }
  }
}

/**
 * Gives the MCP SDK's own `requireBearerAuth` this gate's verification, with its cache and keys. Scopes are the SDK's to
 * check. The SDK knows no 503: an outage rejects with a {@link VerifierUnavailable}, which it answers with 500, so the
 * gate itself is the better middleware.
 *
 * @throws {TypeError} for a gate that `requireOAuthBearer` did not make.
 * @example
 * app.post('/mcp', requireBearerAuth({ verifier: asOAuthTokenVerifier(oauth) }), handler)
 */
export function asOAuthTokenVerifier(gate: OAuthBearerGate, options: McpTokenVerifierOptions = {}): McpTokenVerifier {
  const { invalidToken = (message: string) => new InvalidTokenError(message) } = options
  const verify = verifierOf(gate)
  return {
    async verifyAccessToken(token) {
      const result = await verify(token)
      if (result.outcome === 'granted') return result.authInfo
      if (result.outcome === 'denied') throw invalidToken(MESSAGE)
      throw new VerifierUnavailable(undefined, { retryAfterSeconds: result.retryAfterSeconds })
    },
  }
}
