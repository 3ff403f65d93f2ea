import { addressOf, providerHash, threadHash } from '../token.js'
import type { RevocableScope } from './port.js'

/** Whether the end of something may have ended a credential, by what its id tells. */
export type Concerns = (credentialId: string) => boolean

/** Whatever a credential may have taken with it: aliases, and those that it superseded, are of its thread and provider. */
export function besides(id: string): Concerns {
  const { thread, provider } = addressOf(id)
  return (other) => other.startsWith(thread + provider)
}

/** Whatever may have been in a scope. */
export function inScope(scope: RevocableScope, id: string): Concerns {
  return byHash(scope, scope === 'thread' ? threadHash(id) : scope === 'provider' ? providerHash(id) : '')
}

/** What a store's notice says of the end of a scope or a credential: its kind, and its hash or id. */
export function byNotice(text: string): Concerns {
  const [kind = '', hash = ''] = text.split(' ')
  return kind === 'credential' ? besides(hash) : byHash(kind, hash)
}

/** An alias has the session of its own issue in its id, and ends with another one: a session may concern every credential. */
function byHash(scope: string, hash: string): Concerns {
  if (scope === 'thread') return (other) => addressOf(other).thread === hash
  if (scope === 'provider') return (other) => addressOf(other).provider === hash
  return () => true
}
