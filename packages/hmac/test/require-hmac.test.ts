import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { memorySecrets, type RequireHmacOptions, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { requiredAudit } from '../../../test/support/required-audit.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const legacy = { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } }
const KEY = { 'x-service-key': 'old-key' }
const own = (body = '') => signed({ body, now: app.clock.now() })

describe('a refusal', () => {
  test('of 401 has a challenge, and says which signature is asked for where one of the formats can say so', async () => {
    const asked = async (formats: RequireHmacOptions['formats']) => {
      app = await hmacApp({ formats })
      const { status, headers } = await send(app.port, 'POST', '/jobs')
      await app.close()
      return [status, headers['www-authenticate'], headers['accept-signature']]
    }
    const [tagged, plain] = [rfc9421({ tag: 'first' }), xHeaders()]
    const text = expect.stringMatching(/^sig1=\("@method".*;tag="first"$/)
    expect(await asked([tagged])).toEqual([401, 'Countersign-HMAC', text])
    expect(await asked([plain, tagged])).toEqual([401, 'Countersign-HMAC', text])
    expect(await asked([plain])).toEqual([401, 'Countersign-HMAC', undefined])
  })

  test('of another status asks for no signature, and neither does a grant', async () => {
    app = await hmacApp({ formats: [rfc9421(), xHeaders()], maxBodyBytes: 10 })
    const both = { ...own(), ...signed({ format: rfc9421(), version: 3, now: app.clock.now() }) }
    const answers = [
      await send(app.port, 'POST', '/jobs?a=1', both),
      await send(app.port, 'POST', '/jobs?a=1', own(), Buffer.alloc(11)),
      await send(app.port, 'POST', '/jobs?a=1', own()),
    ]
    expect(answers.map(({ status }) => status)).toEqual([400, 413, 200])
    for (const { headers } of answers) expect(headers).not.toHaveProperty('accept-signature')
  })

  test('leaves the connection usable, whatever of the body is still to come', async () => {
    app = await hmacApp({ formats: [rfc9421()] })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    const post = async () => {
      const request = httpRequest({ port: app.port, host: '127.0.0.1', method: 'POST', path: '/jobs', agent })
      request.end(Buffer.alloc(200_000))
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      ports.add(response.socket.localPort)
      await once(response.resume(), 'end')
      return response.statusCode
    }
    expect([await post(), await post(), await post()]).toEqual([401, 401, 401])
    expect(ports.size).toBe(1)
    agent.destroy()
  })
})

describe('a body that the client holds back until it is asked for', () => {
  const echo: RequestHandler = async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    response.end(Buffer.concat(chunks))
  }
  async function post(headers: Record<string, string>) {
    const all = { ...headers, expect: '100-continue', 'content-length': '2' }
    const request = httpRequest({ port: app.port, host: '127.0.0.1', method: 'POST', path: '/jobs?a=1', headers: all })
    let asked = 0
    request.on('continue', () => {
      asked += 1
      request.end('{}')
    })
    request.flushHeaders()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += chunk
    request.destroy()
    return [response.statusCode, asked, response.statusCode === 200 ? text : '']
  }

  test('is asked for once, of a signature and of an old key, and not of a wrong one', async () => {
    app = await hmacApp({ legacy, formats: [rfc9421()], after: [echo] })
    app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
    expect(await post(signed({ format: rfc9421(), version: 3, body: '{}', now: app.clock.now() }))).toEqual([
      200,
      1,
      '{}',
    ])
    expect(await post(KEY)).toEqual([200, 1, '{}'])
    expect(await post({ 'x-service-key': 'other' })).toEqual([401, 0, ''])
  })
})

describe('a signature is used up', () => {
  test('in the memory of the process where no store is given', async () => {
    app = await hmacApp()
    const headers = own()
    const statuses = [headers, headers].map(async (all) => (await send(app.port, 'POST', '/jobs?a=1', all)).status)
    expect((await Promise.all(statuses)).sort()).toEqual([200, 401])
    expect(app.events.map(({ reason }) => reason).sort()).toEqual(['replayed', undefined])
  })

  test('by a grant that was recorded, and not by one that a required sink did not record', async () => {
    const { audit, fail } = requiredAudit()
    app = await hmacApp({ audit })
    const headers = own()
    const status = async () => (await send(app.port, 'POST', '/jobs?a=1', headers)).status
    fail('throws', 'access.granted')
    expect(await status()).toBe(503)
    fail(undefined)
    expect([await status(), await status()]).toEqual([200, 401])
  })

  test('also where a store could not be asked whether it was', async () => {
    let isDown = true
    const claims = new Set<string>()
    const claim = (key: string) => {
      if (claims.has(key)) return 'seen'
      claims.add(key)
      if (isDown) throw new Error('down')
      return 'fresh'
    }
    app = await hmacApp({ replay: { claim } })
    const headers = own()
    expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(503)
    isDown = false
    expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(401)
  })
})

test('a signature that one gate has granted stays used up where a later one refuses the request', async () => {
  const { audit, events } = recordedAudit()
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }], { audit })
  app = await hmacApp()
  const { clock } = app
  const first = requireHmac({ secrets, audit, clock, audience: AUDIENCE, formats: [xHeaders()] })
  await app.close()
  app = await hmacApp({ clock, before: [first], callers: ['worker'] })
  const headers = own()
  for (let time = 0; time < 2; time += 1) expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(401)
  expect(app.events.map(({ reason }) => reason)).toEqual(['unknown_caller'])
  expect(events.map(({ reason }) => reason)).toEqual([undefined, 'replayed'])
})

test('a wrong option is refused in the name of the gate', () => {
  expect(() => requireHmac({} as never)).toThrow(/^requireHmac: .*"secrets"/)
})

test('a header field that something in front has rewritten is no credential: 500, and the handler is not reached', async () => {
  for (const name of ['x-countersign-caller', 'x-countersign-nonce', 'signature', 'x-service-key']) {
    const rewrite: RequestHandler = (request, _response, next) => {
      request.headers[name] = 'rewritten'
      next()
    }
    app = await hmacApp({ legacy, formats: [xHeaders(), rfc9421()], before: [rewrite] })
    expect([name, (await send(app.port, 'POST', '/jobs?a=1', { ...own(), ...KEY })).status]).toEqual([name, 500])
    await app.close()
  }
  app = await hmacApp()
})

test('who still uses the old key is counted where the option says, by the clock of the gate', async () => {
  const { audit } = recordedAudit()
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }], { audit })
  const clock = fakeClock()
  const added: unknown[] = []
  const legacyUsage = { add: async (uses: readonly unknown[]) => void added.push(...uses), read: async () => [] }
  const options = { secrets, audit, audience: AUDIENCE, clock, legacy }
  const kept = requireHmac({ ...options, legacyUsage })
  const own = requireHmac(options)
  app = await hmacApp({ clock, legacy, before: [kept, own] })
  expect((await send(app.port, 'POST', '/jobs', KEY)).status).toBe(200)
  const use = { caller: 'scheduler', accepted: 1, refused: 0, lastSeenAt: clock.now() }
  expect([await kept.legacyUsage(), added]).toEqual([[], [use]])
  expect(own.legacyUsage()).toEqual([use])
})

test('the principal and the event of a grant name the caller, and the old key has no version', async () => {
  app = await hmacApp({ legacy })
  const principal = async (headers: Record<string, string>) =>
    JSON.parse((await send(app.port, 'POST', '/jobs?a=1', headers)).text).principal
  expect(await principal(own())).toEqual({
    ...{ kind: 'hmac', id: 'scheduler', caller: 'scheduler', keyVersion: 3, format: 'xHeaders' },
  })
  expect(await principal(KEY)).toEqual({ kind: 'hmac', id: 'scheduler', caller: 'scheduler', format: 'legacy' })
  expect(app.events.map(({ type, gate, principal: who }) => [type, gate, who?.id])).toEqual([
    ['access.granted', 'hmac', 'scheduler'],
    ['access.granted', 'hmac', 'scheduler'],
  ])
})
