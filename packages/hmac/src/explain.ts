import type { ReplayStore } from '@countersign/core'
import {
  type DecisionStep,
  denied,
  type Explanation,
  explain,
  isDenied,
  memberOf,
  option,
  resolveOptions,
  sha256,
  systemClock,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { targetOf } from './formats/target.js'
import { type RequireHmacOptions, resolveHmacOptions } from './options.js'
import type { HmacFormat } from './principal.js'
import { foreignSignature, readSignature } from './read.js'
import { type HmacVerdict, hints, meanings } from './reasons.js'
import { verifySignature } from './verify.js'

export { parseCoverage, type SignatureCoverage } from './formats/signature-fields.js'
export { type HmacVerdict, hints, meanings } from './reasons.js'

/** The parts of a request that a signature is verified over. */
export interface SignedParts {
  readonly method: string
  /** The path with its query, as it is sent, or an absolute URL. */
  readonly url: string
  /** Names in any case. A list stands for a field that is sent more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The bytes that go over the wire. */
  readonly body?: Uint8Array | undefined
}

/** What a signature is explained against: the options of the gate, and the time. */
export interface ExplainSignatureOptions
  extends Pick<
    RequireHmacOptions,
    'secrets' | 'audience' | 'formats' | 'callers' | 'maxBodyBytes' | 'replay' | 'pathPrefix' | 'target'
  > {
  /** Milliseconds since the epoch: when the verifier meets the request. Default: now. */
  readonly now?: number | undefined
}

/** What a request says of itself. */
export interface ExplainedClaim {
  readonly format: Exclude<HmacFormat, 'legacy'>
  readonly caller: string
  readonly version: number | undefined
  /** Seconds since the epoch. */
  readonly timestamp: number
  /** The text that is signed for the first audience, with one byte a unit. */
  readonly base: string
}

/** The gate's own verdict on a signature, and how far the decision came. */
export interface SignatureExplanation extends Explanation<HmacVerdict> {
  /** Undefined when the form of the request is wrong. */
  readonly claim: ExplainedClaim | undefined
  /** What the verdict's reason or dependency means; undefined for a grant. */
  readonly meaning: string | undefined
}

const STEPS: Readonly<Record<string, readonly string[]>> = {
  form: ['missing', 'malformed', 'ambiguous'],
  caller: ['unknown_caller'],
  window: ['expired', 'not_yet_valid'],
  key: ['unknown_key_version', 'no_active_secret', 'secret_store', 'secret_unreadable'],
  signature: ['bad_signature'],
  audience: ['wrong_audience'],
  body: ['body_too_large', 'digest_mismatch'],
  replay: ['replayed', 'replay_store'],
}
const WITH_DIGEST = ['form', 'caller', 'window', 'key', 'signature', 'audience', 'body', 'replay']
const WITHOUT_DIGEST = ['form', 'caller', 'window', 'key', 'body', 'signature', 'audience', 'replay']

const OWNER = 'explainSignature'
const rules = { now: option.integer(0, Number.MAX_SAFE_INTEGER) }

/**
 * Explains a signature: reads and verifies it by the code of the gate itself, and returns the steps of the decision. The
 * steps are `form`, `caller`, `window`, `key`, `signature`, `audience`, `body`, `replay`; where a format does not declare a
 * digest the body comes before the signature. Nothing is recorded, and nothing is claimed in a replay store unless one is
 * given.
 *
 * @throws {OptionError} for a wrong option.
 * @example
 * const { verdict, steps, meaning } = await explainSignature({ method, url, headers, body }, { secrets, audience })
 */
export async function explainSignature(
  parts: SignedParts,
  options: ExplainSignatureOptions,
): Promise<SignatureExplanation> {
  const { now: _now, ...gate } = options
  const { now = systemClock.now() } = resolveOptions(OWNER, { now: memberOf(options, 'now') }, rules)
  const clock = { now: () => now, monotonic: () => systemClock.monotonic() }
  const resolved = resolveHmacOptions(OWNER, { ...gate, clock })
  const request = requestOf(parts)
  const { formats, target } = resolved
  const presented = readSignature(request, formats, target) ?? foreignSignature(request, formats) ?? denied('missing')
  if (isDenied(presented)) {
    return { ...explain(presented, steps(WITH_DIGEST)), claim: undefined, meaning: meaningOf(presented) }
  }
  const { format, claim } = presented
  const verdict = await verifySignature(presented, request, {
    ...resolved,
    body: 'rawBody',
    replay: resolved.replay ?? NEVER_USED,
  })
  const { caller, version, timestamp, digests } = claim
  const base = claim.base(resolved.audiences[0] ?? '', sha256(parts.body ?? ''))
  return {
    ...explain(verdict, steps(digests === undefined ? WITHOUT_DIGEST : WITH_DIGEST)),
    claim: { format: format.name, caller, version, timestamp, base },
    meaning: meaningOf(verdict),
  }
}

/** Where no store is given, a signature counts as not used yet. */
const NEVER_USED: ReplayStore = { claim: () => 'fresh' }

function steps(names: readonly string[]): readonly DecisionStep[] {
  return names.map((step) => ({ step, endings: STEPS[step] ?? [] }))
}

function meaningOf(verdict: HmacVerdict): string | undefined {
  if (verdict.outcome === 'granted') return undefined
  const meaning = meanings[verdict.outcome === 'denied' ? verdict.reason : verdict.dependency]
  const hint = verdict.detail?.attributes?.hint
  return hint === 'milliseconds' ? `${meaning} ${hints[hint]}` : meaning
}

/** What the gate sees of a request, as far as it looks at one whose body is there. */
function requestOf({ method, url, headers, body = new Uint8Array(0) }: SignedParts): Request {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'object' ? value : value === undefined ? [] : [value]).map((line) => [name, line] as const),
  )
  const sent = lines.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const host = sent ?? (URL.canParse(url) ? new URL(url).host : undefined)
  return {
    method,
    originalUrl: url.startsWith('/') ? url : targetOf(url),
    rawHeaders: lines.flat(),
    headers: host === undefined ? {} : { host },
    socket: {},
    rawBody: body,
  } as unknown as Request
}
