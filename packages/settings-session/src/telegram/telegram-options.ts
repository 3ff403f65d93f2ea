import { createPublicKey, type KeyObject } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'

/** The part of a Telegram user that is used. */
export interface TelegramUser {
  readonly id: string
  readonly username?: string
  readonly firstName?: string
}

export interface SettingsTelegram {
  /** Verifies by HMAC. Give this or `botId`. */
  readonly botToken?: string
  /** Verifies by Telegram's Ed25519 signature: no token is needed. */
  readonly botId?: string | number
  /** Milliseconds that the data is good. Clients cache it. Default 24 hours. */
  readonly maxAgeMs?: number
  /** Whether a user may open the settings of a chat other than the one with the bot. Default: nobody may. */
  readonly allowChat?: (user: TelegramUser, chatId: string) => boolean | Promise<boolean>
  /** The Ed25519 key, 32 bytes in hexadecimal. Default: that of Telegram's production environment. */
  readonly publicKey?: string
}

/** Telegram's key: https://core.telegram.org/bots/webapps#validating-data-for-third-party-use */
function ed25519Key(hex: string): KeyObject {
  // The DER of a SubjectPublicKeyInfo up to the key itself (RFC 8410 §10.1).
  const key = Buffer.from(`302a300506032b6570032100${hex}`, 'hex')
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

const rules = {
  botToken: option.string(/^\d{1,20}:[A-Za-z0-9_-]{20,128}$/, 'a bot token, <id>:<secret>').secret(),
  botId: option.custom<string>('the id of a bot', (value) =>
    /^\d{1,20}$/.test(String(value)) ? String(value) : undefined,
  ),
  maxAgeMs: option.integer(1000, 7 * 86_400_000).default(86_400_000),
  allowChat: option.func<NonNullable<SettingsTelegram['allowChat']>>(),
  publicKey: option
    .custom<KeyObject>('32 bytes in hexadecimal', (value) =>
      /^[0-9a-f]{64}$/.test(String(value)) ? ed25519Key(String(value)) : undefined,
    )
    .default(ed25519Key('e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d')),
}

export type ResolvedTelegram = ReturnType<typeof resolveTelegram>

/** @throws {OptionError} */
export function resolveTelegram(options: SettingsTelegram) {
  const given = resolveOptions('createSettingsSessions', options, rules, 'telegram.')
  if ((given.botToken === undefined) === (given.botId === undefined)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'telegram.botToken',
      'createSettingsSessions: set one of "telegram.botToken" (HMAC) and "telegram.botId" (Ed25519)',
    )
  }
  return given
}
