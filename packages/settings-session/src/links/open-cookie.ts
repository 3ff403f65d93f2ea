import { randomBytes } from 'node:crypto'
import { deriveSecret, mintToken, parseToken, partitionOfTag, type Token } from '../tokens.js'

/**
 * What a browser holds between a link and a session: the link, and a secret of its own. The token of the confirm form, the
 * attempt's id and the session's token are derived from the two. So a second click of the same browser gets the session of
 * the first one, and another browser gets nothing.
 */
export interface OpenCookie {
  readonly link: Token
  readonly secret: string
}

const SECRET = /^[A-Za-z0-9_-]{43}$/

/** The value of a new cookie for a link. */
export function mintOpenCookie(link: Token): string {
  return `${link.text}.${randomBytes(32).toString('base64url')}`
}

/** What a cookie's value holds; undefined when it is not one of ours. */
export function parseOpenCookie(value: string | undefined): OpenCookie | undefined {
  if (value === undefined || value.length > 256) return undefined
  const dot = value.lastIndexOf('.')
  const link = parseToken('l', value.slice(0, dot))
  const secret = value.slice(dot + 1)
  return link !== undefined && SECRET.test(secret) ? { link, secret } : undefined
}

/** The token that the confirm form carries. */
export function formTokenOf({ link, secret }: OpenCookie): string {
  return deriveSecret(secret, 'confirm', link.text)
}

/** The id of this browser's attempt at this link. */
export function attemptOf({ link, secret }: OpenCookie): string {
  return deriveSecret(secret, 'attempt', link.text).slice(0, 22)
}

/** The session that this browser gets for this link, in the link's partition. */
export function sessionTokenOf({ link, secret }: OpenCookie): Token {
  const tag = partitionOfTag(link.tag).toString(16) + deriveSecret(secret, 'session-tag', link.text).slice(0, 16)
  return mintToken('s', tag, deriveSecret(secret, 'session', link.text))
}

/** The digits that the chat shows, as the store keeps them: useless without the link, which it does not keep. */
export function codeHashOf(link: Token, code: string): string {
  return deriveSecret(link.text, 'code', code)
}
