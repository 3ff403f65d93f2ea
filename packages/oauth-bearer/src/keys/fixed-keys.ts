import { isPromise } from '@countersign/core'
import type { JsonObject } from '../jwt/strict-json.js'
import { trustedKeys } from './key-policy.js'
import { type KeyAnswer, type KeySource, selectKeys, type TrustedKey } from './key-source.js'

/** Keys that the configuration holds: they are always fresh. */
export function fixedKeys(jwks: JsonObject, algorithms: readonly string[]): KeySource {
  let keys: readonly TrustedKey[] | Promise<readonly TrustedKey[]> = trustedKeys(jwks, algorithms).then((trusted) => {
    keys = trusted ?? []
    return keys
  })
  return {
    find: (kid, algorithm): KeyAnswer | Promise<KeyAnswer> =>
      isPromise(keys) ? keys.then((ready) => selectKeys(ready, kid, algorithm)) : selectKeys(keys, kid, algorithm),
    onRemoval: () => undefined,
  }
}

/** A secret shared with the issuer, for the HS algorithms: whatever `kid` a token names. */
export function secretKey(secret: Uint8Array, algorithms: readonly string[]): KeySource {
  const key: TrustedKey = {
    kid: undefined,
    fingerprint: 'secret',
    cryptoKeys: new Map(algorithms.map((algorithm) => [algorithm, secret])),
  }
  return {
    find: (_kid, algorithm) => selectKeys([key], undefined, algorithm),
    onRemoval: () => undefined,
  }
}
