import { createSignedFetch } from '@countersign/hmac'
import express from 'express'

const secret = process.env.COUNTERSIGN_HMAC_SECRET_SCHEDULER ?? ''
const signedFetch = createSignedFetch({ caller: 'scheduler', version: 1, secret, audience: 'billing.example.com' })

const app = express()
// What a timer would do.
app.post('/run', async (_request, response) => {
  const answer = await signedFetch('http://localhost:3000/internal/executions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job: 7 }),
  })
  response
    .status(answer.status)
    .type('json')
    .send(await answer.text())
})
app.listen(3001).on('listening', () => console.log('scheduler: http://localhost:3001'))
