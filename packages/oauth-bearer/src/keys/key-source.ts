import type { CryptoKey } from 'jose'

/** A key that an issuer vouches for, ready to verify with. One object as long as the issuer publishes it unchanged. */
export interface TrustedKey {
  readonly kid: string | undefined
  /** What it is, for comparison: its members in a fixed order. */
  readonly fingerprint: string
  /** By algorithm, those that are allowed and that it fits. */
  readonly cryptoKeys: ReadonlyMap<string, CryptoKey | Uint8Array>
}

/** Whether there is a key for a token. `unavailable`: it cannot be known now. */
export type KeyAnswer =
  /** More than one only for a token that names none. */
  | { readonly outcome: 'found'; readonly keys: readonly TrustedKey[] }
  | { readonly outcome: 'unknown' }
  /** The key is there, and is none of this algorithm. */
  | { readonly outcome: 'wrong_algorithm' }
  | { readonly outcome: 'unavailable'; readonly retryAfterSeconds: number }

/** Where an issuer's keys come from. */
export interface KeySource {
  /** Without a promise when the answer is known. */
  find(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer>
  /**
   * For a token that names no key and that none of `tried` verified: whether the issuer has others. Asks it, if that was not
   * done just now.
   */
  findMore?(tried: readonly TrustedKey[], algorithm: string): KeyAnswer | Promise<KeyAnswer>
  /** Calls back with keys that the issuer withdrew: what they verified is to be forgotten. */
  onRemoval(listener: (removed: ReadonlySet<TrustedKey>) => void): void
}

/** A token without `kid` is tried with so many keys at most. */
const MAX_CANDIDATES = 4

/** The keys of a set that a token could have been signed with. */
export function selectKeys(keys: readonly TrustedKey[], kid: string | undefined, algorithm: string): KeyAnswer {
  const named = kid === undefined ? keys : keys.filter((key) => key.kid === kid)
  const fitting = named.filter((key) => key.cryptoKeys.has(algorithm))
  if (fitting.length > 0) return { outcome: 'found', keys: fitting.slice(0, MAX_CANDIDATES) }
  return { outcome: named.length > 0 && kid !== undefined ? 'wrong_algorithm' : 'unknown' }
}
