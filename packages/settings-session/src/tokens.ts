import { createHmac, hash, randomBytes } from 'node:crypto'

/** `l`: a link. `s`: a session. `t`: a sign-in of a session that is under way at a provider; `r`: one without a session. `d`: a browser that used Telegram's data. */
export type TokenType = 'l' | 's' | 't' | 'r' | 'd'

/**
 * `<type>1.<tag>.<secret>`. The tag says where the record lies and is its public id; the secret (256 bits) is the proof.
 * Stores keep the SHA-256 of the whole token, never the token.
 */
export interface Token {
  readonly text: string
  /** One hexadecimal digit, the partition, and 96 random bits. Not a secret. */
  readonly tag: string
  /** Base64url of the SHA-256 of `text`. */
  readonly hash: string
}

/** What a store gets of a token. */
export type TokenRef = Pick<Token, 'tag' | 'hash'>

/** The characters of a token, one class after another, each with how many there are. */
export const TOKEN_SHAPE: readonly (readonly [characters: string, count: number])[] = [
  ['[lstrd]', 1],
  ['1', 1],
  ['[.]', 1],
  ['[0-9a-f]', 1],
  ['[A-Za-z0-9_-]', 16],
  ['[.]', 1],
  ['[A-Za-z0-9_-]', 43],
]
const patternOf = (shape: typeof TOKEN_SHAPE) => shape.map(([characters, count]) => `${characters}{${count}}`).join('')
const TAG_PATTERN = new RegExp(`^${patternOf(TOKEN_SHAPE.slice(3, 5))}$`)
/** Characters of every token. */
export const TOKEN_LENGTH: number = 3 + 17 + 1 + 43
/** Finds a token of any type anywhere in a text. */
export const TOKEN_ANYWHERE: RegExp = new RegExp(patternOf(TOKEN_SHAPE))

/** A new tag in a partition, 0 to 15. */
export function mintTag(partition: number): string {
  return partition.toString(16) + randomBytes(12).toString('base64url')
}

/** The partition of a tag, 0 to 15. */
export function partitionOfTag(tag: string): number {
  return Number.parseInt(tag.charAt(0), 16)
}

/** Whether a value is a tag. */
export function isTag(value: unknown): value is string {
  return typeof value === 'string' && TAG_PATTERN.test(value)
}

/** A new token with a random secret, or with the secret that a browser's own secret gives. */
export function mintToken(type: TokenType, tag: string, secret: string = randomBytes(32).toString('base64url')): Token {
  return tokenOf(`${type}1.${tag}.${secret}`, tag)
}

/** The token that a value is, or undefined. The length is checked first. */
export function parseToken(type: TokenType, value: unknown): Token | undefined {
  if (typeof value !== 'string' || value.length !== TOKEN_LENGTH || !value.startsWith(`${type}1.`)) return undefined
  if (TOKEN_ANYWHERE.exec(value)?.[0] !== value) return undefined
  return tokenOf(value, value.slice(3, 20))
}

function tokenOf(text: string, tag: string): Token {
  return { text, tag, hash: hash('sha256', text, 'base64url') }
}

/** A secret derived from another one with HMAC-SHA-256: 256 bits, base64url. `purpose` separates the uses. */
export function deriveSecret(secret: string, purpose: string, ...parts: readonly string[]): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([purpose, ...parts]))
    .digest('base64url')
}
