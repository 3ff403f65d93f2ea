import { createHmac, timingSafeEqual, verify } from 'node:crypto'
import { type AuditAttributes, inSeconds, sha256 } from '@countersign/core/gate-kit'
import { type ChatOfData, chatOf } from './chat.js'
import { idOf, parseObject, textIn } from './fields.js'
import type { ResolvedTelegram, TelegramUser } from './telegram-options.js'

/** What Telegram vouches for. */
export interface InitData {
  readonly user: TelegramUser
  /** The chat that the page was opened from or for, when it is not the user's own with the bot. */
  readonly chat?: ChatOfData | undefined
  /** When no process accepts it any more, whatever its clock says. Milliseconds since the epoch. */
  readonly expiresAt: number
  /** SHA-256 of what was signed: the same however it was encoded. */
  readonly fingerprint: string
}

/** What is wrong with what is not Telegram's data, or not any more: the attributes of an event. */
export interface InvalidInitData {
  readonly invalid: AuditAttributes & { readonly part: 'fields' | 'signature' | 'auth_date' | 'user' | 'chat' }
}

const MAX_BYTES = 8192
/** Milliseconds by which Telegram's clock may be ahead of ours. */
const FUTURE_MS = 60_000
const NAME = /^[a-z][a-z0-9_]{0,63}$/
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * Reads Telegram's initData. The signature is checked before anything else is believed. Refused is what Telegram
 * did not sign for this bot, what is too old, and what is from the future.
 *
 * Source: https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
 */
export function verifyInitData(text: unknown, options: ResolvedTelegram, nowMs: number): InitData | InvalidInitData {
  const fields = parseFields(text)
  if (fields === undefined) return { invalid: { part: 'fields' } }
  const signed = options.botToken === undefined ? checkEd25519(fields, options) : checkHmac(fields, options.botToken)
  if (signed === undefined) return { invalid: { part: 'signature' } }
  const seconds = fields.get('auth_date') ?? ''
  const authDate = /^[1-9]\d{0,11}$/.test(seconds) ? Number(seconds) * 1000 : Number.NaN
  if (!(authDate <= nowMs + FUTURE_MS && nowMs - authDate <= options.maxAgeMs)) {
    return { invalid: { ...untimely(authDate, options.maxAgeMs, nowMs), part: 'auth_date' } }
  }
  const user = parseUser(fields.get('user'))
  if (user === undefined) return { invalid: { part: 'user' } }
  const chat = chatOf(fields, user.id)
  if (chat === 'invalid') return { invalid: { part: 'chat' } }
  return {
    user,
    ...(chat === undefined ? {} : { chat }),
    expiresAt: authDate + options.maxAgeMs + FUTURE_MS,
    fingerprint: sha256(signed).toString('base64url'),
  }
}

function untimely(authDate: number, maxAgeMs: number, nowMs: number): AuditAttributes {
  if (authDate > nowMs) return { early_by_seconds: inSeconds(authDate - nowMs), tolerance_seconds: FUTURE_MS / 1000 }
  return Number.isNaN(authDate) ? {} : { late_by_seconds: inSeconds(nowMs - authDate - maxAgeMs) }
}

/**
 * The fields, decoded. Strict, because the signed string joins them with newlines: a field twice, or a control
 * character in one, would let two different lists have the same signature.
 */
export function parseFields(text: unknown): ReadonlyMap<string, string> | undefined {
  if (typeof text !== 'string' || text.length > MAX_BYTES || Buffer.byteLength(text) > MAX_BYTES) return undefined
  const fields = new Map<string, string>()
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, Math.max(equals, 0))
    const value = decode(pair.slice(equals + 1))
    if (!NAME.test(name) || value === undefined || CONTROL.test(value) || fields.has(name)) return undefined
    fields.set(name, value)
  }
  return fields
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function joined(fields: ReadonlyMap<string, string>, ...without: readonly string[]): string {
  return Array.from(fields)
    .filter(([name]) => !without.includes(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('\n')
}

function checkHmac(fields: ReadonlyMap<string, string>, botToken: string): string | undefined {
  const given = fields.get('hash') ?? ''
  if (!/^[0-9a-f]{64}$/.test(given)) return undefined
  const key = createHmac('sha256', 'WebAppData').update(botToken).digest()
  const text = joined(fields, 'hash')
  const expected = createHmac('sha256', key).update(text).digest()
  return timingSafeEqual(expected, Buffer.from(given, 'hex')) ? text : undefined
}

function checkEd25519(fields: ReadonlyMap<string, string>, options: ResolvedTelegram): string | undefined {
  const given = fields.get('signature') ?? ''
  if (!/^[A-Za-z0-9_-]{86}$/.test(given)) return undefined
  const text = joined(fields, 'hash', 'signature')
  const data = Buffer.from(`${options.botId}:WebAppData\n${text}`)
  return verify(null, data, options.publicKey, Buffer.from(given, 'base64url')) ? text : undefined
}

function parseUser(text: string | undefined): TelegramUser | undefined {
  const user = parseObject(text)
  const id = idOf(user?.id)
  if (user === undefined || id === undefined || id.startsWith('-') || user.is_bot === true) return undefined
  return {
    id,
    ...textIn('username', user.username),
    ...textIn('firstName', user.first_name),
    ...textIn('lastName', user.last_name),
    ...textIn('languageCode', user.language_code),
  }
}
