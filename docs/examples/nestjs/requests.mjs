// The four callers of the app: what each sends, and what a request without its proof gets.
import { createSignedFetch } from '@countersign/hmac'

const app = 'http://localhost:3000'
const secret = process.env.COUNTERSIGN_HMAC_SECRET_SCHEDULER ?? ''
const signedFetch = createSignedFetch({ caller: 'scheduler', version: 1, secret, audience: 'app.example.com' })
const post = (body) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const get = (path, authorization) =>
  fetch(app + path, { headers: authorization === undefined ? {} : { authorization } })
const print = async (what, response) => console.log(what, response.status, await response.text())

await print('signed:', await signedFetch(`${app}/internal/executions`, post({ job: 7 })))
await print('not signed:', await fetch(`${app}/internal/executions`, post({ job: 7 })))

const answer = await fetch('http://localhost:4000/token', {
  method: 'POST',
  headers: { authorization: `Basic ${btoa('reports:the-secret-of-this-client')}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${app}/reports`, scope: 'reports:read' }),
})
const token = await answer.json()
await print('access token:', await get('/reports', `Bearer ${token.access_token}`))
await print('no token:', await get('/reports'))

const started = await signedFetch(`${app}/internal/agents`, post({ threadId: 'thread-1' }))
const agent = await started.json()
await print('agent:', await get('/agents/thread', agent.authorization))
await print('no credential:', await get('/agents/thread'))

await print('no session:', await get('/settings'))
const asked = await signedFetch(`${app}/internal/links`, post({ userId: 'u1' }))
const { url } = await asked.json()
console.log('open in a browser:', url)
