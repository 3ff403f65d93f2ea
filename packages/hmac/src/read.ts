import { hasBody, mayLackLines } from '@countersign/core/body'
import { denied, fieldLines, isUpgrade, parseAuthorization } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { SignatureClaim, SignatureFormat, SignedTarget, UnreadableClaim } from './formats/format.js'
import type { HmacDenied } from './reasons.js'

/** A signature, read by the grammar of its format. Nothing is proven yet. */
export interface PresentedSignature {
  readonly kind: 'signature'
  readonly format: SignatureFormat
  readonly claim: SignatureClaim
}

/** The old shared key. */
export interface PresentedKey {
  readonly kind: 'key'
  /** As it stands in the header field: one unit a byte. */
  readonly key: string
}

/** With `reportOnly`: the old key, which decides, and the signature, which is reported on. */
export interface ReportedSignature {
  readonly kind: 'reported'
  readonly key: PresentedKey | HmacDenied
  readonly signature: PresentedSignature | HmacDenied | undefined
}

/** What a request presents to the gate. */
export type HmacCredential = PresentedSignature | PresentedKey | ReportedSignature

/** Where credentials are looked for. */
export interface CredentialSources {
  readonly formats: readonly SignatureFormat[]
  /** The header fields of the old key, in lower case; none when there is no old key. */
  readonly keyHeaders: readonly string[]
  readonly reportOnly: boolean
  readonly target: SignedTarget
}

/**
 * Reads which credential decides: a signature, good or bad, where one is presented; the old key where none is. With `reportOnly` the old key alone decides.
 */
export function readCredential(
  request: Request,
  { formats, keyHeaders, reportOnly, target }: CredentialSources,
): HmacCredential | HmacDenied | undefined {
  const signature = readSignature(request, formats, target)
  if (!reportOnly) return signature ?? readKey(request, keyHeaders) ?? foreignSignature(request, formats)
  const key = readKey(request, keyHeaders)
  if (key === undefined && signature === undefined) return undefined
  return { kind: 'reported', key: key ?? denied('missing'), signature }
}

/**
 * The signature of a request, in one format. Undefined when none is presented. On an upgrade it is that of a `GET` without
 * a body: Node reads none there, so what follows would be bound by nothing.
 */
export function readSignature(
  request: Request,
  formats: readonly SignatureFormat[],
  target: SignedTarget,
): PresentedSignature | HmacDenied | undefined {
  let found: { readonly format: SignatureFormat; readonly claim: SignatureClaim | UnreadableClaim } | undefined
  let presented = 0
  for (const format of formats) {
    const claim = format.parse(request, target)
    if (claim === undefined) continue
    presented += 1
    found ??= { format, claim }
  }
  if (found === undefined) return undefined
  const { format, claim } = found
  if (mayLackLines(request)) return refuse('malformed', format, 'header_lines')
  if (isUpgrade(request) && (request.method !== 'GET' || hasBody(request)))
    return refuse('malformed', format, 'upgrade')
  if (presented > 1) return denied('ambiguous', { detail: { attributes: { part: 'formats' } } })
  return 'unreadable' in claim
    ? refuse(claim.unreadable, format, claim.part, claim.hint)
    : { kind: 'signature', format, claim }
}

/** Where the only signatures are of other applications, nothing is presented, and the event says what is missing. */
export function foreignSignature(request: Request, formats: readonly SignatureFormat[]): HmacDenied | undefined {
  const format = formats.find(({ reads }) => reads.some((name) => fieldLines(request, name).length > 0))
  if (format === undefined) return undefined
  return denied('missing', { detail: { attributes: { format: format.name, part: 'tag' } } })
}

function refuse(
  reason: UnreadableClaim['unreadable'],
  { name }: SignatureFormat,
  part: string,
  hint?: UnreadableClaim['hint'],
): HmacDenied {
  return denied(reason, { detail: { attributes: { format: name, part, ...(hint === undefined ? {} : { hint }) } } })
}

/**
 * The old key of a request; of `authorization` the Bearer token. A caller may send it in several of the header fields, in
 * each once: two different keys are two credentials.
 */
function readKey(request: Request, headers: readonly string[]): PresentedKey | HmacDenied | undefined {
  const sent = headers.filter((name) => fieldLines(request, name).length > 0)
  const [field] = sent
  if (field === undefined) return undefined
  const detail = { attributes: { format: 'legacy' } }
  const key = keyIn(request, field)
  const isOne = sent.every((name) => fieldLines(request, name).length === 1 && keyIn(request, name) === key)
  if (!isOne) return denied('ambiguous', { detail })
  return key === undefined ? denied('bad_signature', { detail }) : { kind: 'key', key }
}

function keyIn(request: Request, field: string): string | undefined {
  if (field !== 'authorization') return fieldLines(request, field)[0]
  const parsed = parseAuthorization(request)
  return parsed.kind === 'credentials' && parsed.scheme === 'bearer' ? parsed.token : undefined
}
