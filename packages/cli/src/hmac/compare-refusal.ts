import type { AuditEvent } from '@countersign/core'
import type { HmacDependency, HmacReason } from '@countersign/hmac'
import { explainSignature, hints, meanings, parseCoverage } from '@countersign/hmac/explain'
import { parseEvent } from '../audit/events.js'
import { usageError } from '../errors.js'
import { type SignedCall, verifierOf } from './sign.js'

/** The answer of a server, as `curl -i` or `countersign hmac curl -i` print it. */
interface HttpRefusal {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

/** @throws {CommandError} when the text is neither an answer nor an event. */
export function parseRefusal(text: string): HttpRefusal | AuditEvent {
  const trimmed = text.trim()
  const refusal = trimmed.startsWith('{') ? parseEvent(trimmed) : parseHttp(trimmed)
  if (refusal !== undefined) return refusal
  throw usageError(
    '--refusal must be an HTTP answer with its header fields, as "curl -i" prints it, or the audit event of the ' +
      'refusal, one line of JSON',
  )
}

function parseHttp(text: string): HttpRefusal | undefined {
  const lines = text.split(/\r?\n/)
  const status = /^HTTP\/[\d.]+ (\d{3})(?: |$)/.exec(lines[0] ?? '')?.[1]
  if (status === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines.slice(1)) {
    if (line === '') break
    const [, name = '', value = ''] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? []
    const lower = name.toLowerCase()
    headers.set(lower, headers.has(lower) ? `${headers.get(lower)}, ${value}` : value)
  }
  return { status: Number(status), headers }
}

/** A difference between what was signed and what the server received. */
export interface Difference {
  readonly what: string
  readonly remedy: string
  /** False for a guess: one answer covers everything that is unproven. */
  readonly isCertain: boolean
}

const certain = (what: string, remedy: string): Difference => ({ what, remedy, isCertain: true })
const likely = (what: string, remedy: string): Difference => ({ what, remedy, isCertain: false })

/** What the signer can do about each reason and dependency. */
const REMEDIES: Readonly<Record<HmacReason | HmacDependency, string>> = {
  missing: 'Check whether a proxy removes it, and that both sides use the same --format, --tag and --prefix.',
  malformed: 'Compare the header fields above with those that arrived.',
  ambiguous: 'Send one signature, and each covered field once.',
  unknown_caller: 'Use a --caller from its list, or add the name to "callers" there.',
  expired: 'Synchronise the clocks (NTP), and sign each attempt separately.',
  not_yet_valid: 'Synchronise the clocks (NTP).',
  unknown_key_version: 'Use a --key-version that "hmac list" shows there, or rotate with --pending first.',
  no_active_secret: 'Get the active secret: "hmac list" shows its version.',
  bad_signature: 'Compare the signed text above with what arrived (a proxy may change the path), then the secrets.',
  wrong_audience: 'Set --audience to the option "audience" of the verifier.',
  body_too_large: 'Send less, or raise maxBodyBytes there.',
  digest_mismatch: 'Sign the bytes that are sent: after serialising, and with no proxy that recompresses them.',
  replayed: 'Sign each attempt separately; in x-headers, --nonce tells equal requests within a second apart.',
  legacy_refused: 'Send the signature headers.',
  secret_store: 'Try again; run "hmac doctor" there.',
  secret_unreadable: 'Run "hmac list" there: COUNTERSIGN_HMAC_KEKS lacks a key.',
  replay_store: 'Try again; run "countersign doctor" there.',
}

function advice(reason: HmacReason | HmacDependency): readonly [what: string, remedy: string] {
  return [meanings[reason], REMEDIES[reason]]
}

/** What a refusal says about a request: first what is certain. */
export async function compareRefusal(signed: SignedCall, refusal: HttpRefusal | AuditEvent): Promise<Difference[]> {
  const found = 'type' in refusal ? compareEvent(signed, refusal) : await compareAnswer(signed, refusal)
  return found.sort((a, b) => Number(b.isCertain) - Number(a.isCertain))
}

async function compareAnswer(signed: SignedCall, { status, headers }: HttpRefusal): Promise<Difference[]> {
  if (status >= 200 && status < 300) return [likely(`The answer is ${status}, not a refusal.`, 'Nothing to explain.')]
  if (status === 503)
    return [certain('The verifier answered 503: it could not decide.', 'Try again; see its audit log.')]
  if (status === 400) return [certain(...advice('ambiguous'))]
  if (status === 413) return [certain(...advice('body_too_large'))]
  if (status !== 401) {
    const remedy = 'The request passed the gate, or never reached it.'
    return [certain(`A gate does not answer ${status} to a signature.`, remedy)]
  }
  const differences = [...(await compareClock(signed, headers)), ...compareFormat(signed, headers)]
  if (!/(^|[\s,])Countersign-HMAC\b/i.test(headers.get('www-authenticate') ?? '')) {
    const remedy = 'Check the URL: another gate or a proxy answered.'
    differences.push(certain('The challenge is not from a gate for signed requests.', remedy))
  }
  const isExplained = differences.some(({ isCertain }) => isCertain)
  return isExplained ? differences : [...differences, likely(...advice('bad_signature'))]
}

/** Lets the gate's own rules judge the signature at the time of the answer. */
async function compareClock(signed: SignedCall, headers: ReadonlyMap<string, string>): Promise<Difference[]> {
  const serverMs = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(serverMs)) return []
  const { verdict } = await explainSignature(signed, { ...verifierOf(signed), now: serverMs })
  if (verdict.outcome !== 'denied' || (verdict.reason !== 'expired' && verdict.reason !== 'not_yet_valid')) return []
  const seconds = Math.abs(Math.round((serverMs - signed.signedAtMs) / 1000))
  const direction = verdict.reason === 'expired' ? 'ahead of' : 'behind'
  const remedy = 'If the answer is recent, the clocks differ: synchronise them (NTP).'
  return [likely(`The server's clock is ${seconds} s ${direction} this signature.`, remedy)]
}

function compareFormat({ format, added }: SignedCall, headers: ReadonlyMap<string, string>): Difference[] {
  const accepted = headers.get('accept-signature')
  if (format.name !== 'rfc9421') {
    if (accepted === undefined) return []
    return [likely('The server asks for rfc9421 (Accept-Signature), but x-headers was sent.', 'Use --format rfc9421.')]
  }
  if (accepted === undefined) {
    return [certain('The server sends no Accept-Signature: it does not accept rfc9421.', 'Use --format x-headers.')]
  }
  const [wanted, sent] = [parseCoverage(accepted), parseCoverage(added['Signature-Input'] ?? '')]
  const missing = wanted?.components.filter((name) => !sent?.components.includes(name)) ?? []
  const differences: Difference[] = []
  if (wanted?.tag !== sent?.tag) {
    differences.push(certain(`The server wants the tag "${wanted?.tag}", but "${sent?.tag}" was sent.`, 'Set --tag.'))
  }
  if (missing.length > 0) {
    const remedy = 'Sign with the components that Accept-Signature names: --require-field signs a header field.'
    differences.push(certain(`The signature does not cover ${missing.join(', ')}.`, remedy))
  }
  return differences
}

function compareEvent(signed: SignedCall, event: AuditEvent): Difference[] {
  const { type, reason = '', principal, http, attributes } = event
  if (type === 'access.granted') return [likely('The event is a grant, not a refusal.', 'Nothing to explain.')]
  const isKnown = Object.hasOwn(REMEDIES, reason)
  const differences = [
    isKnown
      ? certain(...advice(reason as HmacReason | HmacDependency))
      : likely(`The reason is "${reason}".`, 'It is not a reason of a gate for signed requests.'),
  ]
  const compare = (what: string, theirs: unknown, ours: unknown, remedy: string) => {
    if (theirs === undefined || theirs === ours) return
    differences.push(certain(`${what}: ${theirs} there, ${ours} here`, remedy))
  }
  const otherRequest = 'The event may belong to another request.'
  compare('method', http?.method, signed.method, otherRequest)
  compare('caller', principal?.id === 'unknown' ? undefined : principal?.id, signed.caller, otherRequest)
  compare('format', attributes?.format, signed.format.name, 'Use the --format that was sent.')
  compare('key version', attributes?.key_version, signed.version, 'Use the --key-version that was sent.')
  if (attributes?.hint === 'milliseconds') {
    differences.push(certain(hints.milliseconds, 'In JavaScript: Math.floor(Date.now() / 1000).'))
  }
  const skew = attributes?.skew_seconds
  if ((reason === 'expired' || reason === 'not_yet_valid') && typeof skew === 'number') {
    const words = `The signature was ${Math.abs(skew)} s ${skew > 0 ? 'old' : 'ahead'} there.`
    differences.push(certain(words, 'Synchronise the clocks (NTP).'))
  }
  return differences
}
