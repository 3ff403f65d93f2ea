import { createHmac, hash, randomBytes } from 'node:crypto'

/** `l`: a link. `s`: a session. `t`: a sign-in at a provider under way. `d`: a browser that used Telegram's data. */
export type TokenType = 'l' | 's' | 't' | 'd'

/**
 * `<type>1.<tag>.<secret>`. The tag says where the record lies and is its public id; the secret (256 bits) proves. What
 * is stored is the SHA-256 of the whole token.
 */
export interface Token {
  readonly text: string
  /** One hexadecimal digit, the partition, and 96 random bits. Not a secret. */
  readonly tag: string
  /** Base64url of the SHA-256 of `text`. */
  readonly hash: string
}

/** What a store is asked with: never the token. */
export type TokenRef = Pick<Token, 'tag' | 'hash'>

const TAG = '[0-9a-f][A-Za-z0-9_-]{16}'
const SECRET = '[A-Za-z0-9_-]{43}'
const TAG_PATTERN = new RegExp(`^${TAG}$`)
/** Finds a link, a session or another token of ours anywhere in a text. */
export const TOKEN_ANYWHERE = new RegExp(`[lstd]1\\.${TAG}\\.${SECRET}`)
const LENGTH = 3 + 17 + 1 + 43

/** A tag within a partition, 0 to 15. */
export function mintTag(partition: number): string {
  return partition.toString(16) + randomBytes(12).toString('base64url')
}

export function partitionOfTag(tag: string): number {
  return Number.parseInt(tag.charAt(0), 16)
}

export function isTag(text: unknown): text is string {
  return typeof text === 'string' && TAG_PATTERN.test(text)
}

/** A new token; `secret` is for the one that a browser's own secret gives. */
export function mintToken(type: TokenType, tag: string, secret = randomBytes(32).toString('base64url')): Token {
  return tokenOf(`${type}1.${tag}.${secret}`, tag)
}

/** The token that a text is, or undefined. The length is checked before anything else looks at it. */
export function parseToken(type: TokenType, text: unknown): Token | undefined {
  if (typeof text !== 'string' || text.length !== LENGTH || !text.startsWith(`${type}1.`)) return undefined
  if (TOKEN_ANYWHERE.exec(text)?.[0] !== text) return undefined
  return tokenOf(text, text.slice(3, 20))
}

function tokenOf(text: string, tag: string): Token {
  return { text, tag, hash: hash('sha256', text, 'base64url') }
}

/** A secret that follows from another: 256 bits, base64url. `purpose` keeps the uses apart. */
export function derive(secret: string, purpose: string, ...parts: readonly string[]): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([purpose, ...parts]))
    .digest('base64url')
}
