import { createAudit, type ReplayStore } from '@countersign/core'
import { claimOnce } from '@countersign/core/gate-kit'
import { memorySecrets, requireHmac, rfc9421, sign } from '@countersign/hmac'
import { expect, test } from '@jest/globals'
import express from 'express'
import { serve } from '../../../test/support/http-server.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

test('[hmac-late-claim] a claim that is answered after its deadline is taken by one retry, and its copies are replays', async () => {
  const answers: ((said: 'fresh' | 'seen') => void)[] = []
  const store: ReplayStore = { claim: () => new Promise((resolve) => answers.push(resolve)) }
  const claim = () => Promise.resolve(claimOnce({}, store, 'signature', 60_000))
  await expect(claim()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE', isTimeout: true })
  const three = [claim(), claim(), claim()]
  expect(answers).toHaveLength(3)
  for (const [index, answer] of answers.entries()) answer(index === 0 ? 'fresh' : 'seen')
  expect((await Promise.all(three)).sort()).toEqual(['fresh', 'seen', 'seen'])
}, 20_000)

test('[hmac-late-claim] a grant that the audit did not record gives its signature back: one retry passes, its copies are replays', async () => {
  const audit = createAudit()
  let isFull = true
  audit.subscribe(() => (isFull ? Promise.reject(new Error('ENOSPC')) : undefined), { required: true })
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  const app = express()
  app.use(requireHmac({ secrets, audience: 'api.example.com', audit }), (_request, response) => void response.end('ok'))
  const { url, close } = await serve(app)
  try {
    const target = '/jobs'
    const headers = sign(
      { method: 'POST', url: target, headers: {} },
      { caller: 'scheduler', version: 1, secret: SECRET, audience: 'api.example.com', format: rfc9421() },
    )
    const send = async () => (await fetch(`${url}${target}`, { method: 'POST', headers })).status
    expect([await send(), await send()]).toEqual([503, 503])
    isFull = false
    expect((await Promise.all([send(), send(), send()])).sort()).toEqual([200, 401, 401])
    expect(await send()).toBe(401)
  } finally {
    await close()
  }
})
