import { crc32 } from 'node:zlib'
import { numberToBase62, randomBase62, shortHash } from './base62.js'

const THREAD_LENGTH = 11
const PROVIDER_LENGTH = 9
const SESSION_LENGTH = 10
const RANDOM_LENGTH = 10
export const ID_LENGTH = THREAD_LENGTH + PROVIDER_LENGTH + SESSION_LENGTH + RANDOM_LENGTH
/** Where in an id the provider's hash stands. */
export const PROVIDER_PART = { from: THREAD_LENGTH, to: THREAD_LENGTH + PROVIDER_LENGTH } as const
/** 62^43 is more than 2^256. */
const SECRET_LENGTH = 43
/** 62^6 is more than 2^32. */
const CRC_LENGTH = 6

/** No longer than 8 letters, so that every token is shorter than 100. */
export const PREFIX_PATTERN = /^[A-Za-z][A-Za-z0-9]{0,7}$/
export const DEFAULT_PREFIX = 'mcps'
/** The longest token that there can be. */
export const MAX_TOKEN_LENGTH = 8 + 1 + ID_LENGTH + 1 + SECRET_LENGTH + CRC_LENGTH

/** Stands in an id for a provider session that the host did not name. */
export const NO_SESSION = '0'.repeat(SESSION_LENGTH)

const ID_PATTERN = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}$`)
const BODY_PATTERN = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}_[0-9A-Za-z]{${SECRET_LENGTH + CRC_LENGTH}}$`)

export const threadHash = (threadId: string): string => shortHash('thread', threadId, THREAD_LENGTH)
export const providerHash = (providerInstanceId: string): string =>
  shortHash('provider', providerInstanceId, PROVIDER_LENGTH)
export const sessionHash = (providerSessionId: string | undefined): string =>
  providerSessionId === undefined ? NO_SESSION : shortHash('session', providerSessionId, SESSION_LENGTH)

/** What a credential's id tells by itself: where everything about it is kept. */
export interface CredentialAddress {
  readonly thread: string
  readonly provider: string
  readonly session: string
}

/** Whether a text has the form of a credential's id. */
export function isCredentialId(text: unknown): text is string {
  return typeof text === 'string' && ID_PATTERN.test(text)
}

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

/** The parts of a well-formed token, or undefined: a typing error is found here, without asking any store. */
export function parseToken(prefix: string, token: string): { id: string; secret: string } | undefined {
  const start = prefix.length + 1
  if (typeof token !== 'string' || !hasPrefix(prefix, token) || !BODY_PATTERN.test(token.slice(start))) return undefined
  const end = token.length - CRC_LENGTH
  if (token.slice(end) !== checksum(token.slice(0, end))) return undefined
  return { id: token.slice(start, start + ID_LENGTH), secret: token.slice(start + ID_LENGTH + 1, end) }
}

/** Whether a token claims to be ours. */
export function hasPrefix(prefix: string, token: string): boolean {
  return token.startsWith(prefix) && token.charCodeAt(prefix.length) === 0x5f
}

/** The same text without the pieces that it was put together from: ids are kept by the million. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function checksum(text: string): string {
  return numberToBase62(crc32(text), CRC_LENGTH)
}
