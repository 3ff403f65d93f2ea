import { createAudit } from '@countersign/core'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { Browser } from '../../packages/demo/src/browser.js'
import { createGatesApp, type GatesApp, signInternal } from '../support/gates-app.js'
import { type RunningServer, serve } from '../support/http-server.js'
import { RedisServer } from '../support/redis-server.js'
import { startRunningClock } from '../support/running-clock.js'

const DEADLINE_MS = 500
const SLACK_MS = 700

const clock = startRunningClock()
let server: RedisServer
let redis: Redis
let running: RunningServer
let gates: GatesApp
let authorization: string
let person: Browser
let sequence = 0

beforeAll(async () => {
  // Kept on disk at each write, so that a killed server comes back with what it had.
  server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
  redis = new Redis(server.url)
  redis.on('error', () => undefined)
  let handler: GatesApp['app'] | undefined
  running = await serve((request, response) => handler?.(request, response))
  gates = createGatesApp({ redis, baseUrl: running.url, audit: createAudit() })
  handler = gates.app
  authorization = (await gates.credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] }))
    .authorizationHeader
  person = await openSettings(await newLink())
})
afterAll(async () => {
  clock.stop()
  await running?.close()
  redis?.disconnect()
  await server?.stop()
})

async function newLink(): Promise<string> {
  let link = ''
  await gates.settings.deliver(await gates.settings.issueLink({ platform: 'test', userId: 'u1' }), (url) => {
    link = url.reveal('deliver-to-user')
  })
  return link
}

async function openSettings(link: string): Promise<Browser> {
  const browser = new Browser()
  await browser.confirm(link)
  return browser
}

interface Signed {
  readonly headers: Record<string, string>
  readonly body: string
}

function signed(): Signed {
  sequence += 1
  const body = `{"sequence":${sequence}}`
  return { headers: signInternal(running.url, body), body }
}

const sendSigned = ({ headers, body }: Signed) => fetch(`${running.url}/internal`, { method: 'POST', headers, body })
const useCredential = () => fetch(`${running.url}/agent`, { headers: { Authorization: authorization } })
const openPage = () => person.open(`${running.url}/settings`)
const callers = { hmac: () => sendSigned(signed()), mcp: useCredential, settings: openPage }

/** One round of requests to every gate at once, each with its time. */
async function requestAll() {
  return Promise.all(
    Object.entries(callers).map(async ([gate, send]) => {
      const started = clock.now()
      const response = await send()
      return {
        gate,
        status: response.status,
        retryAfter: response.headers.get('retry-after'),
        challenge: response.headers.get('www-authenticate'),
        ms: clock.now() - started,
      }
    }),
  )
}

async function expectAll(status: number): Promise<void> {
  const answers = await requestAll()
  for (const { gate, status: got } of answers) expect(`${gate} ${got}`).toBe(`${gate} ${status}`)
}

async function expectOutage(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (const { gate, status, retryAfter, challenge, ms } of await requestAll()) {
      expect(`${gate} ${status}`).toBe(`${gate} 503`)
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
      expect(challenge).toBeNull()
      expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
    }
  }
}

/** Sends requests until every gate grants again: the app is not restarted. */
async function expectRecovery(withinMs: number): Promise<void> {
  const until = performance.now() + withinMs
  for (;;) {
    const answers = await requestAll()
    for (const { gate, status } of answers) expect([200, 503]).toContain(status === 401 ? `${gate} 401` : status)
    if (answers.every(({ status }) => status === 200)) return
    if (performance.now() > until) throw new Error(`no recovery: ${JSON.stringify(answers)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('a stopped Redis is 503 within the deadline, and nothing that timed out takes effect when it continues', async () => {
  await expectAll(200)
  const link = await newLink()
  const request = signed()
  server.pause()
  const held = await Promise.all([
    sendSigned(request).then((response) => response.status),
    new Browser().confirm(link).then((response) => response.status),
    gates.credentials.revokeThread('t1').then(
      () => 'revoked',
      (error: { code?: string }) => error.code,
    ),
  ])
  expect(held).toEqual([503, 503, 'ERR_COUNTERSIGN_UNAVAILABLE'])
  await expectOutage(3)
  server.resume()
  await expectRecovery(5_000)
  // The signature was not burnt, the link was not spent, the thread was not revoked.
  expect((await sendSigned(request)).status).toBe(200)
  expect((await sendSigned(request)).status).toBe(401)
  expect((await (await openSettings(link)).open(`${running.url}/settings`)).status).toBe(200)
  await expectAll(200)
})

test('a killed Redis is 503 under traffic, and the gates recover by themselves when it is back', async () => {
  await expectAll(200)
  let isDown = false
  let isOver = false
  const rounds = { before: 0, down: 0 }
  const seen = new Set<string>()
  const traffic = (async () => {
    while (!isOver) {
      const wasDown = isDown
      for (const { gate, status } of await requestAll()) {
        seen.add(`${gate} ${status}`)
        if (wasDown && isDown) expect(`${gate} ${status}`).toBe(`${gate} 503`)
      }
      if (!wasDown) rounds.before += 1
      else if (isDown) rounds.down += 1
    }
  })()
  await until(() => rounds.before >= 3)
  await server.kill()
  isDown = true
  await until(() => rounds.down >= 5)
  await expectOutage(2)
  isDown = false
  await server.restart()
  await expectRecovery(15_000)
  isOver = true
  await traffic
  expect([...seen].filter((answer) => !answer.endsWith(' 200') && !answer.endsWith(' 503'))).toEqual([])
}, 40_000)

async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error('the traffic stopped')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
