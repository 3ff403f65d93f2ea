import { principalOf, requireHmac, secretsFromEnv } from '@countersign/hmac'
import express from 'express'

// COUNTERSIGN_HMAC_SECRET_SCHEDULER is what both services have.
const secrets = secretsFromEnv(process.env, { callers: ['scheduler'] })

const app = express()
// The gate stands before the parser: it reads the bytes that are signed.
app.use('/internal', requireHmac({ secrets, audience: 'billing.example.com' }), express.json())
app.post('/internal/executions', (request, response) => {
  response.json({ startedBy: principalOf(request, 'hmac').caller, job: request.body.job })
})
app.listen(3000).on('listening', () => console.log('billing: http://localhost:3000'))
