import { createPublicKey, type KeyObject } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'

/** The part of a Telegram user that is used. */
export interface TelegramUser {
  readonly id: string
  readonly username?: string | undefined
  readonly firstName?: string | undefined
  readonly lastName?: string | undefined
  /** An IETF language tag: that of the user's client. */
  readonly languageCode?: string | undefined
}

/** The type of the chat where a Mini App was opened, `sender` for that with the sender of the link; Telegram may add others. */
export type TelegramPlace = 'sender' | 'private' | 'group' | 'supergroup' | 'channel' | (string & {})

/**
 * A chat whose settings a Mini App may be opened for, by what names it:
 *
 * - `attachment_menu`: Telegram itself, with the id that the Bot API knows. It says that the user opened the menu there, not
 *   what the user may do there.
 * - `start_param`: the author of a direct link (`startapp=chat_<id>`), who may name any chat. Whether the user is in it is not
 *   known; ask the Bot API (`getChatMember`).
 * - `direct_link`: nobody. Telegram says in which type of chat the link was opened, and an opaque `instance` that the Bot API
 *   turns into no id: only the `chat_instance` of a callback query from the same chat equals it. A forwarded link has that of
 *   the chat where it was opened.
 *
 * Nothing of it is a membership or a right: `allowChat` decides.
 */
export type TelegramChat =
  | {
      readonly from: 'attachment_menu'
      readonly id: string
      readonly type?: string | undefined
      readonly title?: string | undefined
      readonly username?: string | undefined
    }
  | {
      readonly from: 'start_param'
      readonly id: string
      /** Where the link was opened, which need not be the chat that it names. */
      readonly type?: TelegramPlace | undefined
      readonly instance?: string | undefined
    }
  | { readonly from: 'direct_link'; readonly type: TelegramPlace; readonly instance: string }

/** How people are signed in by what Telegram signed. Give `botToken` or `botId`. */
export interface SettingsTelegram {
  /** Verifies by HMAC. */
  readonly botToken?: string | undefined
  /** Verifies by Telegram's Ed25519 signature: no token is needed. */
  readonly botId?: string | number | undefined
  /** Seconds that the data is valid, since clients cache it. Default 86 400, at most 604 800. */
  readonly maxAgeSeconds?: number | undefined
  /**
   * Whether a user may open the settings of a chat other than the one with the bot; then the principal's `team` is the chat.
   * Default: no user may. A direct link that names no chat opens the person's own settings then, wherever it is; from the
   * attachment menu of a chat, or by a link that names one, the answer is 401. When it throws, it is 503 (`allow_chat`), or
   * 500 for a bug.
   */
  readonly allowChat?: AllowChat | undefined
  /** The Ed25519 key, 32 bytes in hexadecimal. Default: that of Telegram's production environment. */
  readonly publicKey?: string | undefined
}

/** Whether a user may open the settings of a chat. */
export type AllowChat = (user: TelegramUser, chat: TelegramChat) => boolean | Promise<boolean>

/** The option `telegram`, validated. Either `botToken` or `botId` is there. */
export interface ResolvedTelegram {
  readonly botToken: string | undefined
  readonly botId: string | undefined
  readonly maxAgeMs: number
  readonly allowChat: AllowChat | undefined
  readonly publicKey: KeyObject
}

/** Telegram's key: https://core.telegram.org/bots/webapps#validating-data-for-third-party-use */
const PUBLIC_KEY = 'e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d'

const RULES = {
  botToken: option.string(/^\d{1,20}:[A-Za-z0-9_-]{20,128}$/, 'a bot token, <id>:<secret>').secret(),
  botId: option.custom<string>('the id of a bot', (value) =>
    /^\d{1,20}$/.test(String(value)) ? String(value) : undefined,
  ),
  maxAgeSeconds: option.seconds(1, 604_800).default(86_400),
  allowChat: option.func<AllowChat>(),
  publicKey: option
    .custom<KeyObject>('32 bytes in hexadecimal', (value) =>
      /^[0-9a-f]{64}$/.test(String(value)) ? ed25519Key(String(value)) : undefined,
    )
    .default(ed25519Key(PUBLIC_KEY)),
}

function ed25519Key(hex: string): KeyObject {
  // The DER of a SubjectPublicKeyInfo up to the key itself (RFC 8410 §10.1).
  const key = Buffer.from(`302a300506032b6570032100${hex}`, 'hex')
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

/**
 * Validates the option `telegram`.
 *
 * @throws {OptionError}
 */
export function resolveTelegram(options: SettingsTelegram): ResolvedTelegram {
  const { maxAgeSeconds, ...given } = resolveOptions('createSettingsSessions', options, RULES, 'telegram.')
  if ((given.botToken === undefined) === (given.botId === undefined)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'telegram.botToken',
      'createSettingsSessions: set one of "telegram.botToken" (HMAC) and "telegram.botId" (Ed25519)',
    )
  }
  return { ...given, maxAgeMs: Math.round(maxAgeSeconds * 1000) }
}
