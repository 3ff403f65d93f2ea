// What the scheduler and its agent send, and what is refused.
import { createSignedFetch } from '@countersign/hmac'

const secret = process.env.COUNTERSIGN_HMAC_SECRET_SCHEDULER ?? ''
const signedFetch = createSignedFetch({ caller: 'scheduler', version: 1, secret, audience: 'app.example.com' })
const app = 'http://localhost:3000'
const post = (body) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const print = async (what, response) => console.log(what, response.status, await response.text())

await print('signed:', await signedFetch(`${app}/internal/executions`, post({ job: 7 })))
await print('not signed:', await fetch(`${app}/internal/executions`, post({ job: 7 })))

const started = await signedFetch(`${app}/internal/agents`, post({ threadId: 'thread-1' }))
const { authorization } = await started.json()
await print('agent:', await fetch(`${app}/agents/thread`, { headers: { authorization } }))
await print('nobody:', await fetch(`${app}/agents/thread`))
