import { createHmac } from 'node:crypto'

export const BOT_TOKEN = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'

export type Fields = Record<string, string>

export const checkString = (fields: Fields) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('\n')

export function hashOf(text: string, token = BOT_TOKEN): string {
  const key = createHmac('sha256', 'WebAppData').update(token).digest()
  return createHmac('sha256', key).update(text).digest('hex')
}

/** What Telegram's client hands to a page. */
export function initData(fields: Fields, token = BOT_TOKEN): string {
  return new URLSearchParams({ ...fields, hash: hashOf(checkString(fields), token) }).toString()
}
