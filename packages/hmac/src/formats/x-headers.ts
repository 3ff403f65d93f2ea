import { OptionError } from '@countersign/core'
import { linesOfFields, option, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import {
  ambiguousPart,
  malformedPart,
  malformedTime,
  type SignatureClaim,
  type SignatureFormat,
  type SigningInput,
  type UnreadableClaim,
} from './format.js'
import { isCaller, parseHex256, parseTimestamp, parseVersion, splitTarget, toHex, WINDOW_ALIASES } from './grammar.js'

/** Options of {@link xHeaders}. */
export interface XHeadersOptions {
  /** First part of the header names. Default `x-countersign`. */
  readonly prefix?: string | undefined
  /** Whether the query is signed. Default true. */
  readonly bindQuery?: boolean | undefined
  /** Whether the audience is signed. Default true. */
  readonly bindAudience?: boolean | undefined
  /** Seconds that a signature may be old, inclusive. Default 300. */
  readonly windowBackSeconds?: number | undefined
  /** Seconds that a signature may lie ahead, inclusive. Default 300. */
  readonly windowAheadSeconds?: number | undefined
}

const rules = {
  prefix: option.string(/^[a-z][a-z0-9-]{0,31}$/, 'a header name prefix in lower case').default('x-countersign'),
  bindQuery: option.boolean().default(true),
  bindAudience: option.boolean().default(true),
  windowBackSeconds: option.seconds(1, 3600).default(300),
  windowAheadSeconds: option.seconds(0, 3600).default(300),
}

const EMPTY_SHA256 = sha256('')

/**
 * A signature in four headers, simple enough for a shell script: `-Caller`, `-Timestamp` (unix seconds), `-Signature`
 * (64 lower-case hex digits) and optionally `-Key-Version`. Signed is, with `\n` between: the method, the raw path with
 * its query, the caller, the body's SHA-256 in hex, the timestamp, the audience.
 *
 * GET and HEAD are not held to single use: two equal polls within a second have one signature.
 */
export function xHeaders(options: XHeadersOptions = {}): SignatureFormat {
  const { prefix, bindQuery, bindAudience, windowBackSeconds, windowAheadSeconds } = resolveOptions(
    'xHeaders',
    options,
    rules,
    '',
    WINDOW_ALIASES,
  )
  const names = {
    caller: `${prefix}-caller`,
    timestamp: `${prefix}-timestamp`,
    signature: `${prefix}-signature`,
    version: `${prefix}-key-version`,
  }
  const reads = Object.values(names)

  function canonical(
    { method, target, caller, timestamp }: { method: string; target: string; caller: string; timestamp: number },
    bodySha256: Uint8Array,
    audience: string,
  ): string {
    const signedTarget = bindQuery ? target : (target.split('?', 1)[0] as string)
    const lines = [method, signedTarget, caller, toHex(bodySha256), String(timestamp)]
    if (bindAudience) lines.push(audience)
    return lines.join('\n')
  }

  function parse(request: Request): SignatureClaim | UnreadableClaim | undefined {
    const lines = linesOfFields(request, reads)
    let isPresent = false
    for (const [name, values] of lines) {
      if (values.length > 1) return ambiguousPart(name)
      isPresent ||= values.length > 0
    }
    if (!isPresent) return undefined
    const caller = lines.get(names.caller)?.[0] ?? ''
    const timestampText = lines.get(names.timestamp)?.[0] ?? ''
    const timestamp = parseTimestamp(timestampText)
    const signature = parseHex256(lines.get(names.signature)?.[0] ?? '')
    const versionText = lines.get(names.version)?.[0]
    const version = versionText === undefined ? undefined : parseVersion(versionText)
    const { method, originalUrl: target } = request
    if (!isCaller(caller)) return malformedPart(names.caller)
    if (timestamp === undefined) return malformedTime(names.timestamp, timestampText)
    if (signature === undefined) return malformedPart(names.signature)
    if (versionText !== undefined && version === undefined) return malformedPart(names.version)
    if (splitTarget(target) === undefined) return malformedPart('target')
    return {
      caller,
      version,
      timestamp,
      expires: undefined,
      signature,
      digests: undefined,
      isRepeatable: method === 'GET' || method === 'HEAD',
      nonce: undefined,
      base: (audience, bodySha256 = EMPTY_SHA256) =>
        canonical({ method, target, caller, timestamp }, bodySha256, audience),
    }
  }

  function sign(input: SigningInput): Record<string, string> {
    const { caller, timestamp, version, audience, bodySha256 } = input
    if (bodySha256 === undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'headers',
        'sign: xHeaders() needs the bytes of the body, or their sha-256 in "content-digest"',
      )
    }
    const headers: Record<string, string> = {
      [names.caller]: caller,
      [names.timestamp]: String(timestamp),
      [names.signature]: input.mac(canonical(input, bodySha256, audience)).toString('hex'),
    }
    if (version !== undefined) headers[names.version] = String(version)
    return headers
  }

  return {
    name: 'xHeaders',
    reads,
    bindsAudience: bindAudience,
    windowBackSeconds,
    windowAheadSeconds,
    acceptSignature: undefined,
    parse,
    sign,
  }
}
