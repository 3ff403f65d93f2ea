import type { VerifySignature } from './signature.js'

/** A key that an issuer publishes, ready to verify with. One object for as long as the issuer publishes it unchanged. */
export interface TrustedKey {
  readonly kid: string | undefined
  /** Its members in a fixed order, for comparison. */
  readonly fingerprint: string
  /** What a verification costs, in units of one with RSA of up to 4096 bits. */
  readonly cost: number
  /** By algorithm: those that are allowed and that the key fits. */
  readonly verifiers: ReadonlyMap<string, VerifySignature>
}

/** Whether there is a key for a token. */
export type KeyAnswer =
  /** More than one only for a token that names none. */
  | { readonly outcome: 'found'; readonly keys: readonly TrustedKey[] }
  | { readonly outcome: 'unknown' }
  /** There is such a key, of another algorithm. */
  | { readonly outcome: 'wrong_algorithm' }
  /** It cannot be known now. `failure` says why, in constant words. */
  | { readonly outcome: 'unavailable'; readonly retryAfterSeconds: number; readonly failure?: string | undefined }

/** Where an issuer's keys come from. */
export interface KeySource {
  /** Answers without a promise if the answer is known. */
  find(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer>
  /**
   * For a token that none of `tried` verified: whether the issuer has other keys without a name, or another one under this
   * name. Asks the issuer unless that was done just now.
   */
  findMore?:
    | ((tried: readonly TrustedKey[], kid: string | undefined, algorithm: string) => KeyAnswer | Promise<KeyAnswer>)
    | undefined
  /** Calls back with keys that the issuer withdrew: what they verified must be forgotten. */
  onRemoval(listener: (removed: ReadonlySet<TrustedKey>) => void): void
}

/** A token without `kid` is tried with keys of this cost together: 16 of the usual ones, 4 of the most expensive. */
const MAX_COST = 16

/** The keys of one set that could have signed a token. */
export type FindKeys = (kid: string | undefined, algorithm: string) => KeyAnswer

/** Computes the answers of a set of keys once: every token asks, also one that is cached. */
export function indexKeys(keys: readonly TrustedKey[]): FindKeys {
  const names = new Set(keys.map(({ kid }) => kid))
  const algorithms = new Set(keys.flatMap(({ verifiers }) => [...verifiers.keys()]))
  const answers = new Map(Array.from(algorithms, (algorithm) => [algorithm, answersFor(algorithm)] as const))

  function answersFor(algorithm: string): ReadonlyMap<string | undefined, KeyAnswer> {
    const fitting = keys.filter(({ verifiers }) => verifiers.has(algorithm))
    const byName = Array.from(names, (name) => [name, fitting.filter(({ kid }) => kid === name)] as const)
    const found = byName.filter(([name, named]) => name !== undefined && named.length > 0)
    return new Map([...found, [undefined, fitting] as const].map(([name, some]) => [name, foundOf(some)]))
  }

  return (kid, algorithm) => {
    const answer = answers.get(algorithm)?.get(kid)
    if (answer !== undefined) return answer
    return kid !== undefined && names.has(kid) ? WRONG_ALGORITHM : UNKNOWN
  }
}

function foundOf(keys: readonly TrustedKey[]): KeyAnswer {
  let left = MAX_COST
  const affordable = keys.filter(({ cost }) => {
    left -= cost
    return left >= 0
  })
  return Object.freeze({ outcome: 'found', keys: Object.freeze(affordable) })
}

const WRONG_ALGORITHM: KeyAnswer = Object.freeze({ outcome: 'wrong_algorithm' })
const UNKNOWN: KeyAnswer = Object.freeze({ outcome: 'unknown' })
