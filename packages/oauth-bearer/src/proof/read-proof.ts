import { hash } from 'node:crypto'
import { type AuditAttributes, type Denied, denied, inSeconds, listed } from '@countersign/core/gate-kit'
import { type CompactJws, parseJws } from '../jwt/parse-jws.js'
import type { OAuthBearerReason } from '../reasons.js'
import type { Nonces } from './nonces.js'
import type { TargetUri } from './target-uri.js'

/** What a proof must be for. */
export interface ProofSubject {
  /** The lines of the `DPoP` header field. */
  readonly lines: readonly string[]
  readonly method: string
  readonly target: TargetUri
  /** The access token that is presented beside it. */
  readonly token: string
}

/** What every proof is checked by. */
export interface ProofRules {
  readonly algorithms: readonly string[]
  /** How far a proof's time may be from this machine's. */
  readonly windowMs: number
  /** Undefined where proofs need none. */
  readonly nonces: Nonces | undefined
}

/** A proof for this request and this token. Its signature is not verified. */
export interface Proof {
  readonly jws: CompactJws
  /** The header as it was sent: a client's is the same in all of its proofs. */
  readonly headerText: string
  readonly jti: string
  /** From when on it is refused, milliseconds since the epoch. */
  readonly endsAt: number
  /** Whether the nonce in it is better replaced soon. */
  readonly wantsNonce: boolean
}

/** The part of a proof that is not as it must be. */
export type ProofPart =
  | 'missing'
  | 'several'
  | 'form'
  | 'typ'
  | 'crit'
  | 'alg'
  | 'jwk'
  | 'jti'
  | 'htm'
  | 'htu'
  | 'iat'
  | 'ath'
  | 'nonce'
  | 'jkt'
  | 'signature'

const TYPE = 'dpop+jwt'
/** One with an RSA key of 8192 bits fits. */
const MAX_LENGTH = 8192

/** The refusal of a proof. The event says which part of it is wrong. */
export function badProof(part: ProofPart, attributes: AuditAttributes = {}): Denied<OAuthBearerReason> {
  return denied('bad_proof', { detail: { attributes: { part, ...attributes } } })
}

/**
 * Reads the proof of a request and checks all that needs neither its key nor the token's claims.
 *
 * Source: RFC 9449 §4.3, 1 to 6 and 8 to 12.
 */
export function readProof(subject: ProofSubject, rules: ProofRules, now: number): Proof | Denied<OAuthBearerReason> {
  const [text, ...others] = subject.lines
  if (text === undefined) return badProof('missing')
  if (others.length > 0) return badProof('several')
  if (text.length > MAX_LENGTH) return badProof('form', { limit_bytes: MAX_LENGTH })
  const jws = parseJws(text)
  if (typeof jws === 'string') return badProof('form')
  return checkHeader(jws, rules) ?? checkClaims(jws, text, subject, rules, now)
}

function checkHeader({ header }: CompactJws, { algorithms }: ProofRules): Denied<OAuthBearerReason> | undefined {
  const { typ, crit, b64, alg, jwk } = header
  if (typ !== TYPE) {
    return badProof('typ', { token_type: typeof typ === 'string' ? typ : 'none', expected_types: TYPE })
  }
  // No extension is understood here (RFC 7515 §4.1.11).
  if (crit !== undefined || b64 !== undefined) return badProof('crit')
  if (!algorithms.includes(alg)) {
    return badProof('alg', { algorithm: alg, expected_algorithms: listed(algorithms) })
  }
  return jwk === undefined ? badProof('jwk') : undefined
}

function checkClaims(
  jws: CompactJws,
  text: string,
  { method, target, token }: ProofSubject,
  { windowMs, nonces }: ProofRules,
  now: number,
): Proof | Denied<OAuthBearerReason> {
  const { jti, htm, htu, iat, ath, nonce } = jws.payload
  if (typeof jti !== 'string' || jti === '') return badProof('jti')
  if (htm !== method) return badProof('htm')
  const difference = typeof htu === 'string' ? target.differenceOf(htu) : undefined
  if (typeof htu !== 'string' || difference !== undefined) {
    return badProof('htu', difference === undefined ? {} : { hint: difference })
  }
  if (typeof iat !== 'number') return badProof('iat')
  if (ath !== hash('sha256', token, 'base64url')) return badProof('ath')
  const proof = { jws, headerText: text.slice(0, text.indexOf('.')), jti }
  if (nonces === undefined)
    return checkTime(iat * 1000, windowMs, now) ?? { ...proof, endsAt: iat * 1000 + windowMs, wantsNonce: false }
  const endsAt = typeof nonce === 'string' ? nonces.endOf(nonce, now) : undefined
  return endsAt === undefined
    ? askForNonce(nonces, now)
    : { ...proof, endsAt, wantsNonce: nonces.isEnding(endsAt, now) }
}

function checkTime(madeAt: number, windowMs: number, now: number): Denied<OAuthBearerReason> | undefined {
  const lateMs = now - madeAt
  if (Math.abs(lateMs) <= windowMs) return undefined
  const by = lateMs > 0 ? { late_by_seconds: inSeconds(lateMs) } : { early_by_seconds: inSeconds(-lateMs) }
  return badProof('iat', { ...by, window_seconds: inSeconds(windowMs) })
}

/** The client makes the proof again, with the nonce of this answer (RFC 9449 §9). */
function askForNonce(nonces: Nonces, now: number): Denied<OAuthBearerReason> {
  const said = { error: 'use_dpop_nonce', error_description: 'A nonce of this resource is needed in the DPoP proof' }
  const headers = { 'DPoP-Nonce': nonces.fresh(now) }
  return { ...badProof('nonce'), members: said, parameters: said, headers }
}
