import { randomBytes } from 'node:crypto'
import { derive, mintToken, parseToken, partitionOfTag, type Token } from './tokens.js'

/**
 * What a browser holds between a link and a session: the link, and a secret of its own. From the two follow the token
 * of the confirm form, the attempt's id and the session's token; so a second click of the same browser gets the session
 * of the first one, and another browser gets nothing.
 */
export interface OpenCookie {
  readonly link: Token
  readonly secret: string
}

const SECRET = /^[A-Za-z0-9_-]{43}$/

export function mintOpenCookie(link: Token): string {
  return `${link.text}.${randomBytes(32).toString('base64url')}`
}

export function parseOpenCookie(value: string | undefined): OpenCookie | undefined {
  if (value === undefined || value.length > 256) return undefined
  const dot = value.lastIndexOf('.')
  const link = parseToken('l', value.slice(0, dot))
  const secret = value.slice(dot + 1)
  return link !== undefined && SECRET.test(secret) ? { link, secret } : undefined
}

export function formTokenOf({ link, secret }: OpenCookie): string {
  return derive(secret, 'confirm', link.text)
}

export function attemptOf({ link, secret }: OpenCookie): string {
  return derive(secret, 'attempt', link.text).slice(0, 22)
}

/** The session that this browser gets for this link; it lies where the link lies. */
export function sessionTokenOf({ link, secret }: OpenCookie): Token {
  const tag = partitionOfTag(link.tag).toString(16) + derive(secret, 'session-tag', link.text).slice(0, 16)
  return mintToken('s', tag, derive(secret, 'session', link.text))
}

/** The digits that the chat shows, as the store keeps them: useless without the link, which it does not keep. */
export function codeHashOf(link: Token, code: string): string {
  return derive(link.text, 'code', code)
}
