import { OptionError } from '@countersign/core'
import { type FieldValue, option, resolveOptions, valuesOfFields } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import {
  ambiguousPart,
  malformedPart,
  newNonce,
  type SignatureClaim,
  type SignatureFormat,
  type SignedTarget,
  type SigningInput,
  type UnreadableClaim,
} from './format.js'
import { splitTarget, type Target, WINDOW_ALIASES, withoutWhitespaceAround } from './grammar.js'
import { assertNotWritten, requiredFieldsRule, requiredValue } from './required-fields.js'
import { parseContentDigest, parseSignatureFields } from './signature-fields.js'

/** Options of {@link rfc9421}. */
export interface Rfc9421Options {
  /** The `tag` of the one signature that counts. Default `countersign`. */
  readonly tag?: string | undefined
  /** Header fields that must be sent and covered, such as `['idempotency-key']`. Default none. */
  readonly requiredFields?: readonly string[] | undefined
  /** Seconds that a signature may be old, inclusive. Default 300. */
  readonly windowBackSeconds?: number | undefined
  /** Seconds that a signature may lie ahead, inclusive. Default 60. */
  readonly windowAheadSeconds?: number | undefined
}

const rules = {
  tag: option
    .string(/^[A-Za-z0-9._:/-]{1,64}$/, '1 to 64 of the characters A-Z a-z 0-9 . _ : / -')
    .default('countersign'),
  requiredFields: requiredFieldsRule().default([]),
  windowBackSeconds: option.seconds(1, 3600).default(300),
  windowAheadSeconds: option.seconds(0, 3600).default(60),
}

const REQUIRED = ['@method', '@authority', '@path', '@query', 'content-digest'] as const
/** Covered when they are sent: they say what the bytes mean. */
const WHEN_SENT = ['content-type', 'content-encoding'] as const

const READS = ['signature-input', 'signature'] as const

/** What follows from a list of components: lists come again and again, one for each kind of request. */
interface Plan {
  /** The first component that must be covered, and is not. */
  readonly uncovered: string | undefined
  readonly uncoveredWhenSent: readonly string[]
  /** Where the values are among the fields that are read anyway, -1 for none; undefined where another one is covered. */
  readonly places: readonly number[] | undefined
}

/** Whether a component is derived from the message, not one of its fields (RFC 9421 §2.2). */
function isDerived(name: string): boolean {
  return name.startsWith('@')
}

function linesOf(value: FieldValue): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** The value of a derived component, or of a header field that is sent once (RFC 9421 §2). */
function componentValue(
  name: string,
  { method, target, audience }: { method: string; target: Target; audience: string },
  field: string | undefined,
): string | undefined {
  switch (name) {
    case '@method':
      return method
    case '@authority':
      return audience
    case '@path':
      return target.path
    case '@query':
      return target.query ?? '?'
    default:
      return withoutWhitespaceAround(field)
  }
}

/** The signature base (RFC 9421 §2.5). Undefined when a component has no value. */
export function signatureBase(
  components: readonly string[],
  parameters: string,
  valueFor: (name: string, at: number) => string | undefined,
): string | undefined {
  let base = ''
  for (let at = 0; at < components.length; at += 1) {
    const name = components[at] as string
    const value = valueFor(name, at)
    if (value === undefined) return undefined
    base += `"${name}": ${value}\n`
  }
  return `${base}"@signature-params": ${parameters}`
}

/**
 * HTTP Message Signatures (RFC 9421) with HMAC-SHA256, as a strict profile: exactly one signature with our tag, beside
 * those of others, which say nothing to us;
 * `keyid="<caller>/<version>"`, `created` and `nonce`; covered are method, authority, path, query and the
 * `Content-Digest` (RFC 9530), `Content-Type` and `Content-Encoding` when they are sent, and `requiredFields`. `@authority` is the
 * configured audience, never the `Host` header, which proxies rewrite.
 *
 * @throws {OptionError} for a wrong option.
 */
export function rfc9421(options: Rfc9421Options = {}): SignatureFormat {
  const resolved = resolveOptions('rfc9421', options, rules, '', WINDOW_ALIASES)
  const { tag, requiredFields, windowBackSeconds, windowAheadSeconds } = resolved
  assertNotWritten('rfc9421', requiredFields, READS)
  const more = requiredFields.filter((name) => name !== 'content-digest')
  const required = [...REQUIRED, ...more]
  const whenSent = WHEN_SENT.filter((name) => !more.includes(name))
  /** What is read in one pass. */
  const own = [...READS, 'content-digest', ...whenSent, ...more]
  const digestAt = READS.length

  const plans = new WeakMap<readonly string[], Plan>()

  function planOf(components: readonly string[]): Plan {
    const known = plans.get(components)
    if (known !== undefined) return known
    const plan: Plan = {
      uncovered: required.find((name) => !components.includes(name)),
      uncoveredWhenSent: whenSent.filter((name) => !components.includes(name)),
      places: components.every((name) => isDerived(name) || own.includes(name))
        ? components.map((name) => own.indexOf(name))
        : undefined,
    }
    plans.set(components, plan)
    return plan
  }

  function parse(request: Request, targetOf: SignedTarget): SignatureClaim | UnreadableClaim | undefined {
    const sent = valuesOfFields(request, own)
    const [inputs, signatures] = sent
    if (inputs === undefined && signatures === undefined) return undefined
    const found = parseSignatureFields(linesOf(inputs), linesOf(signatures), tag)
    if (found === undefined || 'unreadable' in found) return found
    const target = splitTarget(targetOf(request))
    // The base cannot tell a bare "?" from no query at all (RFC 9421 §2.2.7).
    if (target === undefined || target.query === '?') return malformedPart('target')
    const { components, parameters } = found
    const plan = planOf(components)
    const uncovered = plan.uncovered ?? plan.uncoveredWhenSent.find((name) => sent[own.indexOf(name)] !== undefined)
    if (uncovered !== undefined) return malformedPart(uncovered)
    const values = plan.places?.map((place) => sent[place]) ?? valuesOfFields(request, components)
    let isRepeated = false
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at]
      if (value === undefined && !isDerived(components[at] as string)) return malformedPart('components')
      if (typeof value === 'object') isRepeated = true
    }
    // Another reader of the request could take the last of two lines.
    if (isRepeated) return ambiguousPart('components')
    const digests = parseContentDigest(sent[digestAt] as string)
    if (digests === undefined) return malformedPart('content-digest')
    const { method } = request
    return {
      caller: found.caller,
      version: found.version,
      timestamp: found.created,
      expires: found.expires,
      signature: found.signature,
      digests,
      isRepeatable: false,
      nonce: found.nonce,
      base: (audience) =>
        signatureBase(components, parameters, (name, at) =>
          componentValue(name, { method, target, audience }, values[at] as string | undefined),
        ) as string,
    }
  }

  function sign(input: SigningInput): Record<string, string> {
    const { method, audience, headers, contentDigest, caller, version, timestamp, nonce = newNonce() } = input
    if (version === undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_MISSING',
        'version',
        'sign: option "version" is required with rfc9421(): set it to the version of the secret',
      )
    }
    const target = splitTarget(input.target) as Target
    if (target.query === '?') {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'url',
        'sign: "url" must not end in a "?" without a query',
      )
    }
    for (const name of more) requiredValue(headers, name)
    const components = [...REQUIRED, ...whenSent.filter((name) => headers.has(name)), ...more]
    const parameters =
      `(${components.map((name) => `"${name}"`).join(' ')})` +
      `;created=${timestamp};nonce="${nonce}";keyid="${caller}/${version}";alg="hmac-sha256";tag="${tag}"`
    const base = signatureBase(components, parameters, (name) =>
      componentValue(name, { method, target, audience }, name === 'content-digest' ? contentDigest : headers.get(name)),
    ) as string
    return {
      'Content-Digest': contentDigest,
      'Signature-Input': `sig1=${parameters}`,
      Signature: `sig1=:${input.mac(base).toString('base64')}:`,
    }
  }

  return {
    name: 'rfc9421',
    reads: READS,
    requiredFields,
    bindsAudience: true,
    windowBackSeconds,
    windowAheadSeconds,
    // No nonce: there its value would be one that the signer has to use (RFC 9421 §5.1).
    acceptSignature: `sig1=(${required.map((name) => `"${name}"`).join(' ')});created;alg="hmac-sha256";tag="${tag}"`,
    parse,
    sign,
  }
}
