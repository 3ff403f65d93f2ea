import { derive, type Token } from '../tokens.js'
import type { SignInBinding } from './provider.js'

/**
 * Everything that a sign-in is bound to follows from the token in the browser's own cookie, and from the issuer: an
 * answer is good in that browser alone, and an answer of another provider has another state.
 */
export function bindingOf(signIn: Token, issuer: string, isAgain: boolean): SignInBinding {
  const part = (purpose: string) => derive(signIn.text, purpose, issuer)
  return { state: part('state'), nonce: part('nonce'), codeVerifier: part('pkce'), isAgain }
}
