import { andThen, type Denied, denied, listed, unavailable } from '@countersign/core/gate-kit'
import { type ClaimRules, checkClaims, isAccepted, wrongType } from '../claims.js'
import type { KeyAnswer, KeySource, TrustedKey } from '../keys/key-source.js'
import type { Refused, Signer, TokenOutcome } from '../outcome.js'
import { grantByClaims } from '../principal.js'
import type { OAuthBearerReason } from '../reasons.js'
import type { CompactJws } from './parse-jws.js'
import { markOfOtherToken, type Profile } from './profile.js'

/** What JWTs of one issuer are verified with. */
export interface JwtSetup {
  readonly keys: KeySource
  readonly algorithms: readonly string[]
  readonly profile: Profile
  readonly rules: ClaimRules
}

/** Verifies a JWT of one issuer. `now` is the wall clock. */
export type VerifyJwt = (jws: CompactJws, now: number) => TokenOutcome | Promise<TokenOutcome>

/**
 * Makes the verification of JWT access tokens with the keys of one issuer and no others: type, key, signature, claims, in
 * this order.
 *
 * Source: RFC 7519 §7.2, RFC 8725, RFC 9068 §4.
 */
export function createVerifyJwt(setup: JwtSetup): VerifyJwt {
  const { keys } = setup
  return (jws, now) => {
    const refusal = checkType(jws, setup) ?? checkKeyParameters(jws, setup)
    if (refusal !== undefined) return refusal
    const { kid, alg } = jws.header
    return andThen<KeyAnswer, TokenOutcome>(keys.find(kid as string | undefined, alg), (answer) => {
      if (answer.outcome !== 'found') return withoutKey(answer, jws, setup)
      return andThen<TrustedKey | Refused, TokenOutcome>(findSigner(jws, answer.keys, setup), (signer) =>
        'outcome' in signer ? signer : judgeClaims(jws, setup, { source: keys, key: signer, algorithm: alg }, now),
      )
    })
  }
}

function checkType({ header, payload }: CompactJws, { profile }: JwtSetup): Denied<OAuthBearerReason> | undefined {
  const { typ, crit, b64, cty } = header
  // No extension is understood here (RFC 7515 §4.1.11), and no token contains another one (RFC 7519 §5.2).
  if (crit !== undefined || b64 !== undefined || cty !== undefined) return wrongType(typ, { expected: profile.types })
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ
  if (!profile.types.includes(type as string | undefined)) return wrongType(typ, { expected: profile.types })
  const mark = markOfOtherToken(profile, payload)
  return mark === undefined ? undefined : wrongType(typ, { claim: mark })
}

function checkKeyParameters({ header }: CompactJws, { algorithms }: JwtSetup): Denied<OAuthBearerReason> | undefined {
  if (!algorithms.includes(header.alg)) return wrongAlgorithm(header, algorithms)
  // A key that the sender chose. `jku` and `x5u` only say where one is: keys come from the issuer's own place, whatever they
  // say, and nothing is fetched from there.
  if (header.jwk !== undefined) return unknownKey(header, 'jwk')
  return header.kid === undefined || typeof header.kid === 'string' ? undefined : unknownKey(header, 'kid')
}

function wrongAlgorithm({ alg }: CompactJws['header'], algorithms: readonly string[]): Denied<OAuthBearerReason> {
  const attributes = { algorithm: alg, expected_algorithms: listed(algorithms) }
  return denied('wrong_algorithm', { detail: { attributes } })
}

/** The event has the key that the token names, and the header parameter that is at fault where one is. */
function unknownKey({ kid }: CompactJws['header'], part?: string): Denied<OAuthBearerReason> {
  const attributes = { ...(typeof kid === 'string' ? { key_id: kid } : {}), ...(part === undefined ? {} : { part }) }
  return denied('unknown_key', { detail: { attributes } })
}

function withoutKey(
  answer: Exclude<KeyAnswer, { outcome: 'found' }>,
  { header }: CompactJws,
  { algorithms }: JwtSetup,
): Refused {
  if (answer.outcome === 'unknown') return unknownKey(header)
  if (answer.outcome !== 'unavailable') return wrongAlgorithm(header, algorithms)
  const { retryAfterSeconds, failure } = answer
  const detail = failure === undefined ? undefined : { attributes: { failure } }
  return unavailable('keys', { retryAfterSeconds, detail })
}

/** The key that signed the token: also one that the issuer has published since, without a name or under an old one. */
function findSigner(
  jws: CompactJws,
  candidates: readonly TrustedKey[],
  setup: JwtSetup,
): TrustedKey | Refused | Promise<TrustedKey | Refused> {
  const { keys: source } = setup
  const key = signerAmong(candidates, jws)
  if (key !== undefined) return key
  if (source.findMore === undefined) return denied('bad_signature')
  const { kid, alg } = jws.header
  return andThen<KeyAnswer, TrustedKey | Refused>(
    source.findMore(candidates, kid as string | undefined, alg),
    (more) => {
      if (more.outcome === 'unavailable') return withoutKey(more, jws, setup)
      const later = more.outcome === 'found' ? signerAmong(more.keys, jws) : undefined
      return later ?? denied('bad_signature')
    },
  )
}

function signerAmong(keys: readonly TrustedKey[], { header, signed, signature }: CompactJws): TrustedKey | undefined {
  return keys.find(({ verifiers }) => verifiers.get(header.alg)?.(signed, signature) === true)
}

function judgeClaims(
  { header, payload }: CompactJws,
  { profile, rules }: JwtSetup,
  signer: Signer,
  now: number,
): TokenOutcome {
  const { isAccessToken } = profile
  if (isAccessToken !== undefined && !isAccepted('isAccessToken', isAccessToken({ ...payload }))) {
    return wrongType(header.typ, {})
  }
  const times = checkClaims(payload, rules, profile.requiredClaims, now)
  if ('outcome' in times) return times
  const { toleranceMs } = rules
  const { expiresAt, notBefore } = times
  const verdict = grantByClaims(payload, rules, expiresAt, 'jwt')
  // A signature does not age: the verdict holds until the token expires or its key is withdrawn.
  const keepUntilMs = Number.POSITIVE_INFINITY
  return { outcome: 'verified', verdict, notBefore, expiresAt, toleranceMs, signer, keepUntilMs }
}
