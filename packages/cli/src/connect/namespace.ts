import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import type { NamespaceOption } from './namespace-option.js'

/** The namespace as a store takes it: left out, it is the store's own. */
export function namespaceOf(env: Environment, { namespace }: NamespaceOption): NamespaceOption {
  const name = namespace ?? readVariable(env, 'COUNTERSIGN_REDIS_NAMESPACE')
  return name === undefined ? {} : { namespace: name }
}
