import { createHmac } from 'node:crypto'

/** A bot's token, as of Telegram. */
export const BOT_TOKEN = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'

/** What Telegram hands to the page of this bot: fresh, of a user, and another text for each `queryId`. */
export function signedData(userId: number, queryId: string): string {
  const fields = {
    auth_date: String(Math.floor(Date.now() / 1000)),
    query_id: queryId,
    user: JSON.stringify({ id: userId, first_name: 'A' }),
  }
  const text = Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
  const key = createHmac('sha256', 'WebAppData').update(BOT_TOKEN).digest()
  return new URLSearchParams({ ...fields, hash: createHmac('sha256', key).update(text).digest('hex') }).toString()
}
