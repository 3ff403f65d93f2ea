import { createSettingsSessions, principalOf, requireSettingsSession } from '@countersign/settings-session'
import express from 'express'

const settings = createSettingsSessions({
  baseUrl: 'http://localhost:3000/settings',
  confirmCode: true,
  pages: { lang: ['en', 'de'], theme: { brand: 'Example', colour: '#7a1fa2' } },
})
const app = express()
app.use('/settings', settings.routes())
app.use('/settings', requireSettingsSession({ settings }))
app.get('/settings', (request, response) => {
  const { userId } = principalOf(request, 'settings-session')
  response.type('html').send(`<!doctype html><title>Settings</title>
<p>The settings of ${encodeURIComponent(userId)}.</p>
<form method="post" action="/settings/delete"><button>Delete everything</button></form>
<form method="post" action="/settings/logout"><button>Sign out</button></form>`)
})
// Only shortly after a sign-in:
app.post('/settings/delete', requireSettingsSession({ settings, maxAuthAgeSeconds: 300 }), (request, response) => {
  const { userId } = principalOf(request, 'settings-session')
  response.type('text').send(`Everything of ${userId} is deleted.`)
})
app.listen(3000)

// Anything that reaches one person can carry a link: the app's own inbox, an e-mail, here the terminal.
const link = await settings.issueLink({ platform: 'web', userId: 'u1' })
await settings.deliver(link, (url, code) => {
  process.stdout.write(`${url.reveal('deliver-to-user')}\nThe page asks for: ${code}\n`)
})
