// What the partner runs. The first argument is the function's URL.
import { createSignedFetch } from '@countersign/hmac'

const url = process.argv[2] ?? 'http://localhost:3000'
const secret = process.env.COUNTERSIGN_HMAC_SECRET_PARTNER ?? ''
const signedFetch = createSignedFetch({ caller: 'partner', version: 1, secret, audience: 'hooks.example.com' })

const response = await signedFetch(`${url}/webhooks/orders`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ order: 7 }),
})
console.log(response.status, await response.text())
