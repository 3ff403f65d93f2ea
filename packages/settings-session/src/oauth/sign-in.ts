import { deriveSecret, type Token } from '../tokens.js'
import type { SignInBinding } from './provider.js'

/**
 * What a sign-in is bound to, derived from the token in the browser's own cookie and from the issuer. So an answer is valid
 * in that browser alone, and an answer of another provider has another state.
 */
export function bindingOf(signIn: Token, issuer: string, isAgain: boolean): SignInBinding {
  const part = (purpose: string) => deriveSecret(signIn.text, purpose, issuer)
  return { state: part('state'), nonce: part('nonce'), codeVerifier: part('pkce'), isAgain }
}
