import { createSettingsSessions, principalOf, requireSettingsSession } from '@countersign/settings-session'
import express from 'express'

const { TELEGRAM_BOT_TOKEN: botToken, TELEGRAM_WEBHOOK_SECRET: webhookSecret } = process.env
if (botToken === undefined || webhookSecret === undefined) {
  throw new Error('TELEGRAM_BOT_TOKEN and TELEGRAM_WEBHOOK_SECRET are not set')
}

const settings = createSettingsSessions({
  baseUrl: 'http://localhost:3000/settings',
  // Mini Apps: the address /settings/telegram never changes, and the person is the one whom Telegram signs for.
  telegram: { botToken },
})
const app = express()

// Telegram posts what people write to the bot here, with the secret of setWebhook, and does what the answer says.
app.post('/telegram/webhook', express.json(), async (request, response) => {
  if (request.get('x-telegram-bot-api-secret-token') !== webhookSecret) return void response.status(401).end()
  const { text, chat, from } = request.body.message ?? {}
  // In a group everybody would see the link.
  if (text !== '/settings' || chat.type !== 'private') return void response.status(200).end()
  const link = await settings.issueLink({ platform: 'telegram', userId: String(from.id) })
  await settings.deliver(link, (url) => {
    const button = { text: 'Open your settings', url: url.reveal('deliver-to-user') }
    response.json({
      method: 'sendMessage',
      chat_id: chat.id,
      text: 'The button works once, for 10 minutes.',
      reply_markup: { inline_keyboard: [[button]] },
    })
  })
})

app.use('/settings', settings.routes())
app.use('/settings', requireSettingsSession({ settings }))
app.get('/settings', (request, response) => {
  const { userId } = principalOf(request, 'settings-session')
  response.type('html').send(`<!doctype html><title>Settings</title>
<p>The settings of user ${Number(userId)}.</p>
<form method="post" action="/settings/logout"><button>Sign out</button></form>`)
})
app.listen(3000).on('listening', () => console.log('bot: http://localhost:3000'))
