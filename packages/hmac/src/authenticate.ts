import { hash, timingSafeEqual } from 'node:crypto'
import { denied, fieldLines, settle, sha256, type VerdictDetail, unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { mayLackLines } from './body/framing.js'
import { type BodyResult, platformBody, readBody } from './body/read-body.js'
import { claimOnce } from './claim-once.js'
import { type FoundKeys, findKeys } from './find-keys.js'
import type { SignatureClaim, SignatureFormat } from './formats/format.js'
import { isSent } from './formats/is-sent.js'
import { spendDecoy, verifyMac } from './mac.js'
import type { ResolvedHmacOptions } from './options.js'
import type { HmacVerdict } from './reasons.js'

/** One signed request on its way to a verdict. */
export interface Attempt {
  readonly request: Request
  readonly options: ResolvedHmacOptions
  readonly format: SignatureFormat
  readonly claim: SignatureClaim
  readonly detail: VerdictDetail
}

type Step = HmacVerdict | Promise<HmacVerdict>

/**
 * Decides on the signature that a request carries: grammar, caller, window, key, MAC, body, digest, single use; cheap
 * before expensive, and nothing of a stranger's is stored.
 */
export function authenticate(request: Request, options: ResolvedHmacOptions): Step {
  const presented = options.formats.filter((format) => isSent(request, format.reads))
  const [format] = presented
  if (format === undefined) return denied('missing')
  if (mayLackLines(request)) return denied('malformed', { detail: { attributes: { format: format.name } } })
  if (presented.length > 1 || format.reads.some((name) => fieldLines(request, name).length > 1))
    return denied('ambiguous')
  const claim = format.parse(request)
  if (typeof claim === 'string') return denied(claim, { detail: { attributes: { format: format.name } } })
  const now = options.clock.now()
  const skew = Math.floor(now / 1000) - claim.timestamp
  const attempt = { request, options, format, claim, detail: describe(format, claim, skew) }
  if (!options.isCaller(claim.caller)) {
    spendDecoy(attempt)
    return denied('unknown_caller', { detail: { attributes: { format: format.name, skew_seconds: skew } } })
  }
  const isExpired = claim.expires !== undefined && now / 1000 >= claim.expires
  if (skew > format.windowBackSeconds || -skew > format.windowAheadSeconds || isExpired) {
    return denied('outside_window', { detail: attempt.detail })
  }
  return settle<FoundKeys, Step>(
    () => findKeys(options.secrets, claim.caller, claim.version, options.clock),
    (found) => withKeys(attempt, found),
    () => unavailable('secret_store', { detail: attempt.detail }),
  ) as Step
}

function describe({ name }: SignatureFormat, { caller, version }: SignatureClaim, skew: number): VerdictDetail {
  const attributes = { format: name, skew_seconds: skew, ...(version === undefined ? {} : { key_version: version }) }
  return { principalId: caller, credential: version === undefined ? undefined : { version }, attributes }
}

function withKeys(attempt: Attempt, found: FoundKeys): Step {
  const { claim } = attempt
  if (found.keys.length === 0) {
    if (found.hasUnreadable) return unavailable('secret_unreadable', { detail: attempt.detail })
    spendDecoy(attempt)
    return denied(found.missing, { detail: attempt.detail })
  }
  if (claim.digests === undefined) return withBody(attempt, (body) => checkMac(attempt, found, body))
  // Declared: the MAC is checked before a byte of the body is read.
  const verified = verifyMac(attempt, found.keys, undefined)
  if (verified.outcome !== 'verified') return refuseMac(attempt, found, verified.outcome)
  const { version, mac } = verified
  return withBody(attempt, (body) =>
    digestsMatch(claim, body)
      ? claimOnce(attempt, version, mac)
      : denied('digest_mismatch', { detail: attempt.detail }),
  )
}

function withBody(attempt: Attempt, next: (body: Buffer) => Step): Step {
  const { request, options, detail } = attempt
  const read = options.body === 'rawBody' ? platformBody : readBody
  // An error here is a mistake in the app's middleware, and stays one.
  const use = (body: BodyResult): Step => {
    if (body === 'too_large') return denied('body_too_large', { detail })
    if (body === 'aborted') {
      return denied('malformed', { detail: { ...detail, attributes: { ...detail.attributes, body } } })
    }
    return next(body)
  }
  const body = read(request, options.maxBodyBytes)
  return body instanceof Promise ? body.then(use) : use(body)
}

function checkMac(attempt: Attempt, found: FoundKeys, body: Buffer): Step {
  const verified = verifyMac(attempt, found.keys, sha256(body))
  return verified.outcome === 'verified'
    ? claimOnce(attempt, verified.version, verified.mac)
    : refuseMac(attempt, found, verified.outcome)
}

/** A row that does not open might have verified: that is an outage, not a refusal. */
function refuseMac({ detail }: Attempt, found: FoundKeys, reason: 'bad_signature' | 'audience_mismatch'): HmacVerdict {
  return found.hasUnreadable ? unavailable('secret_unreadable', { detail }) : denied(reason, { detail })
}

function digestsMatch({ digests = [] }: SignatureClaim, body: Buffer): boolean {
  return digests.every(({ algorithm, value }) => {
    const computed = hash(algorithm, body, 'buffer')
    return computed.length === value.length && timingSafeEqual(computed, value)
  })
}
