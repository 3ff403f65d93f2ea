import { idOf, parseObject, textIn } from './fields.js'
import type { TelegramChat, TelegramPlace } from './telegram-options.js'

/** A chat whose settings may be meant, and the team of a person who is let into them. */
export interface ChatOfData {
  readonly chat: TelegramChat
  readonly team: string
  /** Nobody asked for the settings of this chat: without permission they are the person's own. */
  readonly isByTheWay: boolean
}

/**
 * The chat that the data is about; undefined when that is the user's own with the bot or none; `'invalid'` for one that
 * Telegram does not write. A direct link names a chat in `start_param` (`chat_<id>`): signed, but chosen by the author of the
 * link.
 *
 * Source: https://core.telegram.org/bots/webapps#webappinitdata
 */
export function chatOf(fields: ReadonlyMap<string, string>, userId: string): ChatOfData | 'invalid' | undefined {
  const written = fields.get('chat')
  if (written !== undefined) return chatInMenu(written, userId)
  const opened = openedIn(fields)
  const id = /^chat_(-?\d{1,20})$/.exec(fields.get('start_param') ?? '')?.[1]
  if (id === userId) return undefined
  if (id !== undefined) return { chat: { from: 'start_param', id, ...opened }, team: id, isByTheWay: false }
  if (opened === undefined || opened.type === 'sender') return undefined
  const { instance, type } = opened
  if (instance === undefined) return 'invalid'
  return { chat: { from: 'direct_link', instance, type }, team: `instance:${instance}`, isByTheWay: true }
}

/** From the attachment menu: Telegram itself says which chat it is. */
function chatInMenu(written: string, userId: string): ChatOfData | 'invalid' | undefined {
  const chat = parseObject(written)
  const id = idOf(chat?.id)
  if (chat === undefined || id === undefined) return 'invalid'
  if (id === userId) return undefined
  const { type, title, username } = chat
  const about = { ...textIn('type', type), ...textIn('title', title), ...textIn('username', username) }
  return { chat: { from: 'attachment_menu', id, ...about }, team: id, isByTheWay: false }
}

/** Where a direct link was opened, as far as Telegram says. */
function openedIn(
  fields: ReadonlyMap<string, string>,
): { readonly type: TelegramPlace; readonly instance?: string } | undefined {
  const type = fields.get('chat_type')
  const instance = fields.get('chat_instance')
  return type === undefined ? undefined : { type: type as TelegramPlace, ...textIn('instance', instance) }
}
