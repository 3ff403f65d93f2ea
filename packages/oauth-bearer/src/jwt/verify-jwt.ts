import { denied, unavailable } from '@countersign/core/gate-kit'
import { toVerified } from '../build-verified.js'
import { checkClaims } from '../check-claims.js'
import type { ResolvedIssuer } from '../issuers/issuer.js'
import type { KeyAnswer, KeySource, TrustedKey } from '../keys/key-source.js'
import { andThen } from '../maybe.js'
import type { OAuthBearerReason } from '../reasons.js'
import type { Refused, TokenOutcome } from '../token-outcome.js'
import type { CompactJws } from './parse-jws.js'

/** Header parameters that would have the sender choose the key. */
const KEY_INJECTION = ['jwk', 'jku', 'x5u']

/**
 * Verifies a JWT access token with the keys of its issuer and no others: header, key, signature, claims, in this order.
 *
 * Source: RFC 7519 §7.2, RFC 8725, RFC 9068 §4.
 */
export function verifyJwt(
  jws: CompactJws,
  issuer: ResolvedIssuer,
  keys: KeySource,
  now: number,
): TokenOutcome | Promise<TokenOutcome> {
  const refusal = checkHeader(jws, issuer)
  if (refusal !== undefined) return denied(refusal)
  const { kid, alg } = jws.header
  return andThen<KeyAnswer, TokenOutcome>(keys.find(kid as string | undefined, alg), (answer) => {
    if (answer.outcome !== 'found') return keyless(answer)
    return andThen<TrustedKey | Refused, TokenOutcome>(findSigner(jws, answer.keys, keys), (signer) =>
      'outcome' in signer ? signer : judge(jws, issuer, { source: keys, key: signer, algorithm: alg }, now),
    )
  })
}

function checkHeader({ header, payload }: CompactJws, issuer: ResolvedIssuer): OAuthBearerReason | undefined {
  const { alg, typ, kid, crit, b64, cty } = header
  if (!issuer.algorithms.includes(alg)) return 'wrong_algorithm'
  if (KEY_INJECTION.some((name) => Object.hasOwn(header, name))) return 'unknown_key'
  // No extension is understood here (RFC 7515 §4.1.11), and no token is inside of another (RFC 7519 §5.2).
  if (crit !== undefined || b64 !== undefined || cty !== undefined) return 'wrong_type'
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ
  const isType = (type === undefined || typeof type === 'string') && issuer.profile.acceptsType(type)
  if (!isType || issuer.profile.isOtherToken(payload)) {
    issuer.warnOfType()
    return 'wrong_type'
  }
  return kid === undefined || typeof kid === 'string' ? undefined : 'unknown_key'
}

function keyless(answer: Exclude<KeyAnswer, { outcome: 'found' }>): Refused {
  if (answer.outcome === 'unavailable') return unavailable('keys', { retryAfterSeconds: answer.retryAfterSeconds })
  return denied(answer.outcome === 'unknown' ? 'unknown_key' : 'wrong_algorithm')
}

/** The key that a token was signed with. Where it names none, that can also be one that the issuer has only now. */
function findSigner(
  jws: CompactJws,
  candidates: readonly TrustedKey[],
  source: KeySource,
): TrustedKey | Refused | Promise<TrustedKey | Refused> {
  const key = signerAmong(candidates, jws)
  if (key !== undefined) return key
  if (jws.header.kid !== undefined || source.findMore === undefined) return denied('bad_signature')
  return andThen<KeyAnswer, TrustedKey | Refused>(source.findMore(candidates, jws.header.alg), (more) => {
    if (more.outcome === 'unavailable') return keyless(more)
    const later = more.outcome === 'found' ? signerAmong(more.keys, jws) : undefined
    return later ?? denied('bad_signature')
  })
}

function signerAmong(keys: readonly TrustedKey[], { header, signed, signature }: CompactJws): TrustedKey | undefined {
  return keys.find(({ verifiers }) => verifiers.get(header.alg)?.(signed, signature) === true)
}

function judge(
  { payload }: CompactJws,
  issuer: ResolvedIssuer,
  key: { source: KeySource; key: TrustedKey; algorithm: string },
  now: number,
): TokenOutcome {
  const times = checkClaims(payload, issuer, issuer.profile.requiredClaims, now)
  if (typeof times === 'string') return denied(times)
  // A signature does not age: the verdict stands until the token expires or its key is withdrawn.
  return toVerified(issuer, payload, times, 'jwt', { key, keepUntilMs: Number.POSITIVE_INFINITY })
}
