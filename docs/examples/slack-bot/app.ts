import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  createSettingsSessions,
  principalOf,
  requireSettingsSession,
  settingsOAuthFromEnv,
} from '@countersign/settings-session'
import express, { type Request } from 'express'

const signingSecret = process.env.SLACK_SIGNING_SECRET
if (signingSecret === undefined) throw new Error('SLACK_SIGNING_SECRET is not set')

const settings = createSettingsSessions({
  baseUrl: 'http://localhost:3000/settings',
  oauth: settingsOAuthFromEnv(process.env, { required: false }),
  confirmCode: true,
})
const app = express()

// Slack posts `/settings` of a person here, and shows the answer to that person alone.
app.post('/slack/commands', express.raw({ type: () => true }), async (request, response) => {
  if (!isFromSlack(request)) return void response.status(401).end()
  const command = new URLSearchParams(String(request.body))
  const [team, userId] = [command.get('team_id') ?? '', command.get('user_id') ?? '']
  const link = await settings.issueLink({ platform: 'slack', team, userId })
  await settings.deliver(link, (url, code) => {
    const text = `<${url.reveal('deliver-to-user')}|Open your settings>. The page asks for: ${code}`
    response.json({ response_type: 'ephemeral', text })
  })
})

app.use('/settings', settings.routes())
app.use('/settings', requireSettingsSession({ settings }))

const volumes = new Map<string, string>()
app.get('/settings', (request, response) => {
  const { id } = principalOf(request, 'settings-session')
  response.type('html').send(`<!doctype html><title>Settings</title>
<form method="post" action="/settings/volume">
  <label>Volume <input name="volume" type="number" value="${Number(volumes.get(id) ?? 5)}"></label> <button>Save</button>
</form>
<form method="post" action="/settings/logout"><button>Sign out</button></form>`)
})
app.post('/settings/volume', express.urlencoded({ extended: false }), (request, response) => {
  const { id } = principalOf(request, 'settings-session')
  volumes.set(id, String(request.body.volume))
  response.redirect(303, '/settings')
})
app.listen(3000).on('listening', () => console.log('bot: http://localhost:3000'))

/** https://docs.slack.dev/authentication/verifying-requests-from-slack */
function isFromSlack(request: Request): boolean {
  const sentAt = request.get('x-slack-request-timestamp') ?? ''
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) < 300)) return false
  const mac = createHmac('sha256', signingSecret as string)
    .update(`v0:${sentAt}:`)
    .update(request.body)
    .digest('hex')
  const [expected, given] = [Buffer.from(`v0=${mac}`), Buffer.from(request.get('x-slack-signature') ?? '')]
  return expected.length === given.length && timingSafeEqual(expected, given)
}
