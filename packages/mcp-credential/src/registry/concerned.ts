import type { RevocableScope } from '../store/port.js'
import { addressOf, providerHash, threadHash } from '../token.js'

/** Whether the end of something may have ended a credential, by what its id tells. */
export type Concerns = (credentialId: string) => boolean

/** Whatever a credential may have taken with it: aliases, and those that it superseded, are of its thread and provider. */
export function besides(id: string): Concerns {
  const { thread, provider } = addressOf(id)
  return (other) => other.startsWith(thread + provider)
}

/** Whatever may have been in a scope. An alias has the session of its own issue in its id, and ends with another one. */
export function inScope(scope: RevocableScope, id: string): Concerns {
  if (scope === 'thread') {
    const thread = threadHash(id)
    return (other) => addressOf(other).thread === thread
  }
  if (scope === 'provider') {
    const provider = providerHash(id)
    return (other) => addressOf(other).provider === provider
  }
  return () => true
}
