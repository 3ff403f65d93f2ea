import { crc32 } from 'node:zlib'
import { sha256 } from '@countersign/core/gate-kit'
import { ALPHABET, isBase62, numberFrom, randomBase62, shortHash } from './base62.js'

const THREAD_LENGTH = 11
const PROVIDER_LENGTH = 9
const SESSION_LENGTH = 10
const RANDOM_LENGTH = 10
/** The length of a credential's id. */
export const ID_LENGTH: number = THREAD_LENGTH + PROVIDER_LENGTH + SESSION_LENGTH + RANDOM_LENGTH
/** Where in an id the provider's hash is. */
export const PROVIDER_PART: { readonly from: number; readonly to: number } = {
  from: THREAD_LENGTH,
  to: THREAD_LENGTH + PROVIDER_LENGTH,
}
/** 62^43 is more than 2^256. */
const SECRET_LENGTH = 43
/** 62^6 is more than 2^32. */
const CRC_LENGTH = 6

/** At most 8 letters, so that every token is shorter than 100. */
export const PREFIX_PATTERN: RegExp = /^[A-Za-z][A-Za-z0-9]{0,7}$/
/** The prefix of tokens, unless the app names another. */
export const DEFAULT_PREFIX = 'mcps'

/** In an id: no provider session was named. */
export const NO_SESSION: string = '0'.repeat(SESSION_LENGTH)

const ID_PATTERN = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}$`)

/** A thread's hash, as ids and keys have it. */
export function threadHash(threadId: string): string {
  return shortHash('thread', threadId, THREAD_LENGTH)
}

/** A provider's hash, as ids and keys have it. */
export function providerHash(providerInstanceId: string): string {
  return shortHash('provider', providerInstanceId, PROVIDER_LENGTH)
}

/** The hash of a provider's session, as ids and keys have it. */
export function sessionHash(providerSessionId: string | undefined): string {
  return providerSessionId === undefined ? NO_SESSION : shortHash('session', providerSessionId, SESSION_LENGTH)
}

/** The hashes in a credential's id: they locate everything that is stored about it. */
export interface CredentialAddress {
  readonly thread: string
  readonly provider: string
  readonly session: string
}

/** Whether a text has the form of a credential's id. */
export function isCredentialId(text: unknown): text is string {
  return typeof text === 'string' && ID_PATTERN.test(text)
}

/** The hashes in a credential's id. */
export function addressOf(credentialId: string): CredentialAddress {
  const { from, to } = PROVIDER_PART
  return {
    thread: credentialId.slice(0, from),
    provider: credentialId.slice(from, to),
    session: credentialId.slice(to, to + SESSION_LENGTH),
  }
}

/** A new token and its parts. `id` is safe in logs, `secret` is not. */
export interface MintedToken {
  readonly id: string
  readonly secret: string
  readonly token: string
}

/** What a credential is minted for. */
export interface TokenSubject {
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
}

/**
 * Mints `<prefix>_<id>_<secret><crc>`, base62. The id begins with short hashes of thread, provider and provider session
 * and ends with 59 random bits; the secret is 256 random bits; the CRC-32 covers everything before it.
 */
export function mintToken(prefix: string, subject: TokenSubject): MintedToken {
  const { threadId, providerInstanceId, providerSessionId } = subject
  const id = flat(
    threadHash(threadId) +
      providerHash(providerInstanceId) +
      sessionHash(providerSessionId) +
      randomBase62(RANDOM_LENGTH),
  )
  const secret = randomBase62(SECRET_LENGTH)
  const body = `${prefix}_${id}_${secret}`
  return { id, secret, token: body + checksum(body) }
}

/**
 * What a store keeps of a secret. Prefix and namespace are in it: a token whose prefix was rewritten, or whose record was
 * copied to another namespace, is not proven there.
 */
export function secretDigest(prefix: string, namespace: string, secret: string): Buffer {
  return sha256(`${prefix}\0${namespace}\0${secret}`)
}

/** The parts of a well-formed token, or undefined: the checksum finds typing errors without asking a store. */
export function parseToken(prefix: string, token: string): { id: string; secret: string } | undefined {
  const start = prefix.length + 1
  if (typeof token !== 'string' || !hasPrefix(prefix, token) || !hasForm(token, start)) return undefined
  const end = token.length - CRC_LENGTH
  if (numberFrom(token, end) !== crc32(token.slice(0, end))) return undefined
  return { id: token.slice(start, start + ID_LENGTH), secret: token.slice(start + ID_LENGTH + 1, end) }
}

/** The part of a token that makes {@link parseToken} refuse it. */
export function malformedPartOf(prefix: string, token: string): 'prefix' | 'form' | 'checksum' {
  if (!hasPrefix(prefix, token)) return 'prefix'
  return hasForm(token, prefix.length + 1) ? 'checksum' : 'form'
}

/** Whether an id, `_`, a secret and a checksum follow the prefix. */
function hasForm(token: string, start: number): boolean {
  const middle = start + ID_LENGTH
  const length = middle + 1 + SECRET_LENGTH + CRC_LENGTH
  if (token.length !== length || token.charCodeAt(middle) !== 0x5f) return false
  return isBase62(token, start, middle) && isBase62(token, middle + 1, length)
}

/** The id in a token with the prefix that {@link parseToken} accepts. */
export function idInToken(prefix: string, token: string): string {
  return token.slice(prefix.length + 1, prefix.length + 1 + ID_LENGTH)
}

/** Whether a token has our prefix. */
export function hasPrefix(prefix: string, token: string): boolean {
  return token.startsWith(prefix) && token.charCodeAt(prefix.length) === 0x5f
}

/** A copy without V8's tree of concatenated pieces: a million ids are kept. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** The CRC-32 of a text in base62, with leading zeros. */
export function checksum(text: string): string {
  let digits = ''
  for (let rest = crc32(text); digits.length < CRC_LENGTH; rest = Math.floor(rest / 62)) {
    digits = ALPHABET[rest % 62] + digits
  }
  return digits
}
