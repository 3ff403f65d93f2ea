import { timingSafeEqual } from 'node:crypto'
import type { Clock, ReplayStore } from '@countersign/core'
import { type BodyMode, type BodyResult, readBody, readToRefuse } from '@countersign/core/body'
import {
  type AuditAttributes,
  andThen,
  claimOnce,
  denied,
  granted,
  inSeconds,
  isUpgrade,
  listed,
  settle,
  unavailable,
  unavailableBy,
  type VerdictDetail,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { BodyDigests } from './body-digests.js'
import type { DeclaredDigest, SignatureClaim, SignatureFormat } from './formats/format.js'
import { type Audiences, findMac, type ProvenMac, spendDecoy } from './mac.js'
import { principalFor } from './principal.js'
import type { PresentedSignature } from './read.js'
import type { HmacDenied, HmacReason, HmacVerdict } from './reasons.js'
import { replayKey } from './single-use.js'
import { type FoundKeys, findKeys, isKnownCaller } from './store/find-keys.js'
import type { HmacSecretStore } from './store/port.js'

/** What a signature is verified against. */
export interface SignatureVerifier {
  /** The closed list of callers; undefined when the store names them. */
  readonly callers: ReadonlySet<string> | undefined
  readonly secrets: HmacSecretStore
  readonly audiences: readonly string[]
  readonly body: BodyMode
  readonly maxBodyBytes: number
  readonly replay: ReplayStore
  readonly clock: Clock
}

type Step<T> = T | HmacVerdict | Promise<T | HmacVerdict>

/** Reads the body and takes its digests. */
type ReadDigests = (digests: BodyDigests) => Step<readonly Buffer[]>

/** Of an upgrade, whose stream is not Express's to read. */
const NO_BODY = Buffer.alloc(0)

/** How far machines' clocks may differ. */
const SLACK_SECONDS = 120

/**
 * Decides on a signature: caller, window, key, MAC, body, digest, single use. Cheap before expensive, and nothing of a
 * stranger's is stored.
 */
export function verifySignature(
  { format, claim }: PresentedSignature,
  request: Request,
  { callers, secrets, audiences: own, body: mode, maxBodyBytes, replay, clock }: SignatureVerifier,
): HmacVerdict | Promise<HmacVerdict> {
  const nowSeconds = clock.now() / 1000
  const skewSeconds = Math.floor(nowSeconds) - claim.timestamp
  const audiences = { own, host: format.bindsAudience ? hostOf(request) : undefined }

  const misdated = checkWindow(format, claim, skewSeconds, nowSeconds)
  const refuse = (reason: HmacReason, about: VerdictDetail) =>
    refuseAsBadMac(reason, request, { claim, audiences, maxBodyBytes, mode }, about)
  if (!isKnownCaller(claim.caller, callers, secrets)) {
    const about = { attributes: { format: format.name, skew_seconds: skewSeconds } }
    return misdated === undefined ? refuse('unknown_caller', about) : denied('unknown_caller', { detail: about })
  }
  const detail = describe(format, claim, skewSeconds)
  if (misdated !== undefined) return withAttributes(misdated.reason, detail, misdated.attributes)

  const readDigests: ReadDigests = (digests) => {
    const read = isUpgrade(request) ? NO_BODY : readBody(request, maxBodyBytes, mode, digests)
    return andThen(read, (body) => digestsOrDenied(digests, body, maxBodyBytes, detail))
  }
  const admit = (proof: ProvenMac) => admitOnce(request, { format, claim }, proof, replay, clock, detail)
  return settle<FoundKeys, HmacVerdict>(
    () => findKeys(secrets, claim.caller, claim.version, clock),
    (found) =>
      found.keys.length > 0
        ? onward<ProvenMac, HmacVerdict>(proveContent(claim, found, audiences, readDigests, detail), admit)
        : found.hasUnreadable
          ? unavailable('secret_unreadable', { detail: naming(detail, found) })
          : refuse(found.missing, naming(detail, found)),
    (error) => unavailableBy(error, 'secret_store', detail),
  )
}

/** Over HTTP/2 it is the pseudo-header field `:authority`. */
function hostOf(request: Request): string | undefined {
  const { headers, authority } = request as Request & { readonly authority?: string | undefined }
  return (headers.host ?? authority)?.toLowerCase()
}

/** Continues with what a step found, or ends with the verdict that it came to. */
function onward<T extends object, R>(step: Step<T>, next: (found: T) => Step<R>): Step<R> {
  return andThen<T | HmacVerdict, R | HmacVerdict>(step, (found) => (isVerdict(found) ? found : next(found)))
}

function isVerdict(value: object): value is HmacVerdict {
  return 'outcome' in value
}

function describe({ name }: SignatureFormat, { caller, version }: SignatureClaim, skewSeconds: number): VerdictDetail {
  const known: AuditAttributes = version === undefined ? {} : { key_version: version }
  return {
    principalId: caller,
    credential: version === undefined ? undefined : { version },
    attributes: { format: name, skew_seconds: skewSeconds, ...known },
  }
}

/** The window is inclusive at both ends, to the second; `expires` is exclusive. */
function checkWindow(
  { windowBackSeconds, windowAheadSeconds }: SignatureFormat,
  { expires }: SignatureClaim,
  skewSeconds: number,
  nowSeconds: number,
) {
  if (skewSeconds > windowBackSeconds) {
    const attributes = { late_by_seconds: skewSeconds - windowBackSeconds, window_seconds: windowBackSeconds }
    return { reason: 'expired', attributes } as const
  }
  if (expires !== undefined && nowSeconds >= expires) {
    return { reason: 'expired', attributes: { late_by_seconds: inSeconds((nowSeconds - expires) * 1000) } } as const
  }
  if (-skewSeconds <= windowAheadSeconds) return undefined
  const attributes = { early_by_seconds: -skewSeconds - windowAheadSeconds, window_seconds: windowAheadSeconds }
  return { reason: 'not_yet_valid', attributes } as const
}

function withAttributes(reason: HmacReason, detail: VerdictDetail, attributes: AuditAttributes): HmacDenied {
  return denied(reason, { detail: { ...detail, attributes: { ...detail.attributes, ...attributes } } })
}

/** Names whose secrets were tried: those of a caller that has its own end the shared one. */
function naming(detail: VerdictDetail, { secrets }: FoundKeys): VerdictDetail {
  return { ...detail, attributes: { ...detail.attributes, secrets_tried: secrets } }
}

/** What a refusal that needs no key looks at, to be like one that does. */
interface Unproven {
  readonly claim: SignatureClaim
  readonly audiences: Audiences
  readonly maxBodyBytes: number
  readonly mode: BodyMode
}

/**
 * Refuses what there is no key for with the work of a MAC that is wrong and, where that needs the body, after the body: when an
 * answer comes must not tell which callers there are.
 */
function refuseAsBadMac(
  reason: HmacReason,
  request: Request,
  { claim, audiences, maxBodyBytes, mode }: Unproven,
  detail: VerdictDetail,
): HmacVerdict | Promise<HmacVerdict> {
  if (claim.digests !== undefined) {
    spendDecoy(claim, audiences, undefined)
    return denied(reason, { detail })
  }
  const digests = new BodyDigests(['sha256'])
  const read = isUpgrade(request) ? NO_BODY : readToRefuse(request, maxBodyBytes, mode, digests)
  return andThen<BodyResult | 'unread', HmacVerdict>(read, (body) => {
    const computed = digestsOrDenied(digests, body === 'unread' ? NO_BODY : body, maxBodyBytes, detail)
    if (isVerdict(computed)) return computed
    spendDecoy(claim, audiences, computed[0])
    return denied(reason, { detail })
  })
}

/** The MAC and the body: over a declared digest the MAC is checked before a byte of the body is read. */
function proveContent(
  claim: SignatureClaim,
  found: FoundKeys,
  audiences: Audiences,
  readDigests: ReadDigests,
  detail: VerdictDetail,
): Step<ProvenMac> {
  const checkMac = (bodySha256?: Uint8Array): ProvenMac | HmacVerdict => {
    const proof = findMac(claim, found.keys, audiences, bodySha256)
    if (typeof proof !== 'string') return proof
    // A row that does not open might have verified: that is an outage, not a refusal.
    if (found.hasUnreadable) return unavailable('secret_unreadable', { detail })
    return proof === 'wrong_audience'
      ? withAttributes(proof, detail, { audiences: audiences.host ?? '', expected_audiences: listed(audiences.own) })
      : denied(proof, { detail: naming(detail, found) })
  }
  const { digests: declared } = claim
  if (declared === undefined) {
    return onward(readDigests(new BodyDigests(['sha256'])), ([bodySha256]) => checkMac(bodySha256))
  }
  return onward(checkMac(), (proof) =>
    onward(readDigests(new BodyDigests(declared.map(({ algorithm }) => algorithm))), (computed) =>
      areEqual(computed, declared) ? proof : denied('digest_mismatch', { detail }),
    ),
  )
}

function digestsOrDenied(
  digests: BodyDigests,
  body: BodyResult,
  maxBodyBytes: number,
  detail: VerdictDetail,
): readonly Buffer[] | HmacDenied {
  if (body === 'too_large') return withAttributes('body_too_large', detail, { limit_bytes: maxBodyBytes })
  return body === 'aborted' ? withAttributes('malformed', detail, { part: 'body', body }) : digests.of(body)
}

/** Their lengths are those of their algorithms. */
function areEqual(computed: readonly Buffer[], declared: readonly DeclaredDigest[]): boolean {
  return declared.every(({ value }, at) => timingSafeEqual(computed[at] as Buffer, value))
}

/** Last step: the signature is good; is this the first request that uses it? */
function admitOnce(
  request: Request,
  { format, claim }: Omit<PresentedSignature, 'kind'>,
  proof: ProvenMac,
  replay: ReplayStore,
  clock: Clock,
  before: VerdictDetail,
): HmacVerdict | Promise<HmacVerdict> {
  const { caller } = claim
  const { owner, version } = proof
  const secret: AuditAttributes = owner === caller ? {} : { secret: 'shared' }
  const detail: VerdictDetail = {
    ...before,
    credential: { id: `${owner}/${version}`, version },
    attributes: { ...before.attributes, key_version: version, ...secret },
  }
  const admitted = granted(principalFor(caller, format.name, version), detail)
  if (claim.isRepeatable) return admitted
  // Constant: one computed from the verifier's own clock would reopen a replay when clocks differ.
  const ttlMs = Math.ceil((format.windowBackSeconds + format.windowAheadSeconds + SLACK_SECONDS) * 1000)
  const startedMs = clock.monotonic()
  return settle<'fresh' | 'seen', HmacVerdict>(
    () => claimOnce(request, replay, replayKey(claim, proof), ttlMs),
    (answer) => (answer === 'fresh' ? admitted : denied('replayed', { detail })),
    (error) => unavailableBy(error, 'replay_store', { ...detail, storeMs: clock.monotonic() - startedMs }),
  )
}
