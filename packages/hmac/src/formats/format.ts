import { randomBytes } from 'node:crypto'
import type { Request } from 'express'

/** A digest of the body that the signature covers. */
export interface DeclaredDigest {
  readonly algorithm: 'sha256' | 'sha512'
  readonly value: Uint8Array
}

/** What a request claims with its signature, read by the strict grammar of one format. Nothing is proven yet. */
export interface SignatureClaim {
  readonly caller: string
  /** The version of the secret, when the signer says which. */
  readonly version: number | undefined
  /** Seconds since the epoch. */
  readonly timestamp: number
  /** Seconds since the epoch, exclusive. */
  readonly expires: number | undefined
  /** 32 bytes. */
  readonly signature: Uint8Array
  /** The digests that the signature covers; without them the MAC needs the body. */
  readonly digests: readonly DeclaredDigest[] | undefined
  /** True when two different requests may have one signature: then single use is not required. */
  readonly isRepeatable: boolean
  /** What makes this request unique; without it the MAC itself does. */
  readonly nonce: string | undefined
  /** The text that is signed for an audience, one byte a unit. `bodySha256` is for a claim without digests. */
  base(audience: string, bodySha256: Uint8Array | undefined): string
}

/** Why there is no claim: a field that is signed came more than once, or anything else departs from the grammar. */
export interface UnreadableClaim {
  readonly unreadable: 'ambiguous' | 'malformed'
  /** Which part: a header field, a parameter of a signature, `target`. A constant, or a configured name. */
  readonly part: string
  /** What is wrong with it, where that is a known mistake. */
  readonly hint?: 'milliseconds' | undefined
}

/** A nonce that no other signature has: 16 random bytes. */
export function newNonce(): string {
  return randomBytes(16).toString('base64url')
}

/** A part that departs from the grammar. */
export function malformedPart(part: string): UnreadableClaim {
  return { unreadable: 'malformed', part }
}

/** A part that is no time in seconds; from 2001 on, milliseconds since the epoch have 13 digits. */
export function malformedTime(part: string, value: unknown): UnreadableClaim {
  return { unreadable: 'malformed', part, hint: /^[1-9]\d{12}$/.test(String(value)) ? 'milliseconds' : undefined }
}

/** A field, or the signature in it, that is there more than once: which one counts is a matter of who reads it. */
export function ambiguousPart(part: string): UnreadableClaim {
  return { unreadable: 'ambiguous', part }
}

/** A request as it is signed. */
export interface SignableRequest {
  readonly method: string
  /** An absolute URL or a path with its query; taken as it stands, never normalised. */
  readonly url: string | URL
  /** The header fields; names in any case. */
  readonly headers?: Readonly<Record<string, string | undefined>> | Iterable<readonly [string, string]> | undefined
  /** The bytes that go over the wire. Left out: no body, or the one whose `content-digest` is among the headers. */
  readonly body?: Uint8Array | undefined
}

/** A request that has been read for signing. */
export interface SigningInput {
  readonly method: string
  readonly target: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** The value of `Content-Digest` (RFC 9530 §2). */
  readonly contentDigest: string
  /** Undefined when only another digest of the body was declared. */
  readonly bodySha256: Uint8Array | undefined
  readonly caller: string
  readonly version: number | undefined
  readonly audience: string
  /** Seconds since the epoch. */
  readonly timestamp: number
  /** Undefined when none is asked for: then the format decides. */
  readonly nonce: string | undefined
  mac(base: string): Buffer
}

/** The path with its query that a request was signed for, as its client sent it. */
export type SignedTarget = (request: Request) => string

/** One way of writing a signature into a request. */
export interface SignatureFormat {
  /** `format` of principals and events. */
  readonly name: 'rfc9421' | 'xHeaders'
  /** Header fields, in lower case, that a signature of this format is read from. */
  readonly reads: readonly string[]
  /** Header fields, in lower case, without which a request is neither signed nor accepted. */
  readonly requiredFields: readonly string[]
  /** Whether signatures of this format bind the audience. */
  readonly bindsAudience: boolean
  /** Seconds that a signature may be old, inclusive. */
  readonly windowBackSeconds: number
  /** Seconds that a signature may lie ahead, inclusive. */
  readonly windowAheadSeconds: number
  /** The value of `Accept-Signature` on a 401 (RFC 9421 §5.1). */
  readonly acceptSignature: string | undefined
  /**
   * Reads a claim; says why not when anything departs from the grammar. Undefined where nothing of this format is presented:
   * whatever else is there commits the request to it. Throws only when `target` does.
   */
  parse(request: Request, target: SignedTarget): SignatureClaim | UnreadableClaim | undefined
  /** The header fields to add. */
  sign(input: SigningInput): Record<string, string>
}
