import { isPromise } from '@countersign/core/gate-kit'
import type { JsonObject } from '../strict-encoding.js'
import { trustedKeys } from './key-policy.js'
import { type FindKeys, indexKeys, type KeyAnswer, type KeySource, type TrustedKey } from './key-source.js'
import { secretVerifier } from './signature.js'

/** Keys from the configuration: they are always fresh. */
export function fixedKeys(jwks: JsonObject, algorithms: readonly string[]): KeySource {
  let keys: FindKeys | Promise<FindKeys> = trustedKeys(jwks, algorithms).then((trusted) => {
    keys = indexKeys(trusted ?? [])
    return keys
  })
  return {
    find: (kid, algorithm): KeyAnswer | Promise<KeyAnswer> =>
      isPromise(keys) ? keys.then((ready) => ready(kid, algorithm)) : keys(kid, algorithm),
    onRemoval: () => undefined,
  }
}

/** A secret shared with the issuer, for the HS algorithms. It verifies tokens with any `kid`. */
export function secretKey(secret: Uint8Array, algorithms: readonly string[]): KeySource {
  const key: TrustedKey = {
    kid: undefined,
    fingerprint: 'secret',
    cost: 1,
    verifiers: new Map(algorithms.map((algorithm) => [algorithm, secretVerifier(secret, algorithm)])),
  }
  const find = indexKeys([key])
  return { find: (_kid, algorithm) => find(undefined, algorithm), onRemoval: () => undefined }
}
