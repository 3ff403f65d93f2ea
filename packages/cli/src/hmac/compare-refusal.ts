import type { HmacDependency, HmacReason } from '@countersign/hmac'
import type { AuditRefusal, HttpRefusal, Refusal } from './refusal.js'
import type { SignedRequest } from './signing.js'

/** One thing that differs between what was signed and what the server took. */
export interface Difference {
  readonly what: string
  readonly remedy: string
  /** False for what a refusal only makes likely: the answer is the same for all that is unproven. */
  readonly isCertain: boolean
}

const certain = (what: string, remedy: string): Difference => ({ what, remedy, isCertain: true })
const likely = (what: string, remedy: string): Difference => ({ what, remedy, isCertain: false })

/** What each reason of an audit event means for the one who signs. */
const REASONS: Readonly<Record<HmacReason | HmacDependency, readonly [string, string]>> = {
  missing: [
    'no header of the signature arrived',
    'See whether a proxy removes it, and that both use one --format and --prefix.',
  ],
  malformed: [
    'a header departs from the grammar, or the body ended early',
    'Compare the header fields above with those that arrived.',
  ],
  ambiguous: ['a header came twice, or the headers of two formats', 'Send one signature, and each covered field once.'],
  unknown_caller: [
    'the verifier does not know the caller',
    'Use a --caller of its list, or add the name to "callers" there.',
  ],
  outside_window: [
    'the time of the signature is outside the window',
    'Set the clocks (NTP), and sign each attempt anew.',
  ],
  unknown_key_version: [
    'the verifier has no such version of the secret',
    'Use --key-version as "hmac list" shows it there, or rotate with --pending first.',
  ],
  no_active_secret: [
    'the secret has expired or was revoked',
    'Get the secret that is in force: "hmac list" shows which.',
  ],
  bad_signature: [
    'the secret differs, or something changed method, path, query, audience or body on the way',
    'Compare the signed text above with what arrived, then the secrets.',
  ],
  digest_mismatch: [
    'the body was changed after it was signed',
    'Sign the very bytes that are sent, after serialising and before compressing proxies.',
  ],
  audience_mismatch: [
    'it was signed for the Host, which is not an audience of the verifier',
    'Give --audience as the option "audience" of the verifier has it.',
  ],
  replayed: ['this signature was used before', 'Sign each attempt anew.'],
  body_too_large: ['the body is larger than maxBodyBytes', 'Send less, or raise maxBodyBytes there.'],
  legacy_refused: ['only the old key was looked at, and it is not accepted any more', 'Send the signature headers.'],
  secret_store: ['the verifier cannot ask its secret store', 'Try again; run "hmac doctor" there.'],
  secret_unreadable: [
    'the verifier cannot open the stored secret',
    'Its COUNTERSIGN_HMAC_KEKS lacks a key: run "hmac list" there.',
  ],
  replay_store: ['the verifier cannot ask its replay store', 'Try again; run "countersign doctor" there.'],
}

/** What a refusal tells of a request: first what is certain. */
export function compareRefusal(signed: SignedRequest, refusal: Refusal): Difference[] {
  const found = refusal.kind === 'http' ? compareAnswer(signed, refusal) : compareEvent(signed, refusal)
  return found.sort((a, b) => Number(b.isCertain) - Number(a.isCertain))
}

function compareAnswer(signed: SignedRequest, { status, headers }: HttpRefusal): Difference[] {
  if (status >= 200 && status < 300)
    return [likely(`the answer is ${status}, no refusal`, 'There is nothing to explain.')]
  if (status === 503)
    return [certain('the verifier answered 503: it could not decide', 'Try again; see its audit events.')]
  if (status === 400) return [certain(...REASONS.ambiguous)]
  if (status === 413) return [certain(...REASONS.body_too_large)]
  if (status !== 401) {
    return [
      certain(
        `the answer ${status} is not what a signature is refused with`,
        'The request passed the gate, or never met it.',
      ),
    ]
  }
  const differences = [...compareClock(signed, headers), ...compareFormat(signed, headers)]
  if (!/(^|[\s,])Countersign-HMAC\b/i.test(headers.get('www-authenticate') ?? '')) {
    differences.push(
      certain('the challenge is not that of a signed-request gate', 'Check the URL: another gate or a proxy answered.'),
    )
  }
  const isExplained = differences.some(({ isCertain }) => isCertain)
  if (!isExplained) differences.push(likely(...REASONS.bad_signature))
  return differences
}

function compareClock({ format, signedAtMs }: SignedRequest, headers: ReadonlyMap<string, string>): Difference[] {
  const serverMs = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(serverMs)) return []
  const seconds = Math.round((serverMs - signedAtMs) / 1000)
  const isOld = seconds > format.windowBackSeconds
  if (!isOld && -seconds <= format.windowAheadSeconds) return []
  const words = `the server's clock is ${Math.abs(seconds)} s ${isOld ? 'ahead of' : 'behind'} this signature`
  return [likely(words, 'If the answer was given just now, the clocks differ: set them (NTP).')]
}

function compareFormat({ format, added }: SignedRequest, headers: ReadonlyMap<string, string>): Difference[] {
  const accepted = headers.get('accept-signature')
  if (format.name !== 'rfc9421') {
    if (accepted === undefined) return []
    return [likely('the server asks for rfc9421 (Accept-Signature), and x-headers was sent', 'Use --format rfc9421.')]
  }
  if (accepted === undefined) {
    return [certain('the server does not take rfc9421: it sends no Accept-Signature', 'Use --format x-headers.')]
  }
  const input = added['Signature-Input'] ?? ''
  const tagOf = (text: string) => /;tag="([^"]*)"/.exec(text)?.[1]
  const namesOf = (text: string) =>
    Array.from(/\(([^)]*)\)/.exec(text)?.[1]?.matchAll(/"([^"]+)"/g) ?? [], ([, name]) => name)
  const tags = [tagOf(accepted), tagOf(input)]
  const missing = namesOf(accepted).filter((name) => !namesOf(input).includes(name))
  return [
    ...(tags[0] === tags[1]
      ? []
      : [certain(`the server wants the tag "${tags[0]}", sent was "${tags[1]}"`, 'Set --tag.')]),
    ...(missing.length === 0
      ? []
      : [certain(`the signature does not cover ${missing.join(', ')}`, 'Cover what Accept-Signature names.')]),
  ]
}

function compareEvent(signed: SignedRequest, refusal: AuditRefusal): Difference[] {
  const { type, reason = '', caller, method, attributes } = refusal
  if (type === 'access.granted') return [likely('the event is a grant, no refusal', 'There is nothing to explain.')]
  const known = Object.hasOwn(REASONS, reason) ? REASONS[reason as HmacReason | HmacDependency] : undefined
  const differences = [
    known === undefined
      ? likely(`the reason is "${reason}"`, 'It is none of a signed-request gate.')
      : certain(...known),
  ]
  const compare = (what: string, theirs: unknown, ours: unknown, remedy: string) => {
    if (theirs !== undefined && theirs !== ours)
      differences.push(certain(`${what}: ${theirs} there, ${ours} here`, remedy))
  }
  compare('method', method, signed.method, 'It may be the event of another request.')
  compare('caller', caller === 'unknown' ? undefined : caller, signed.caller, 'It may be the event of another request.')
  compare('format', attributes.format, signed.format.name, 'Use the --format that was sent.')
  compare('key version', attributes.key_version, signed.version, 'Use the --key-version that was sent.')
  const { skew_seconds: skew } = attributes
  if (reason === 'outside_window' && typeof skew === 'number') {
    differences.push(
      certain(`the signature was ${Math.abs(skew)} s ${skew > 0 ? 'old' : 'ahead'} there`, 'Set the clocks (NTP).'),
    )
  }
  return differences
}
