import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { postgresReplay } from '@countersign/postgres'
import { signedRequest } from '@countersign/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../support/audit-recorder.js'
import { type RunningServer, serve } from '../support/http-server.js'
import { startPostgres } from '../support/postgres-tables.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const AUDIENCE = 'billing.example.com'
const SIGNER = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE }
let postgres: Awaited<ReturnType<typeof startPostgres>>
let running: RunningServer
let tokens: { live: string; revoked: string }
beforeAll(async () => {
  postgres = await startPostgres()
  const { audit } = recordedAudit()
  const terms = { commandTimeoutMs: 400 }
  const credentials = createMcpCredentials({ store: postgresCredentials(postgres.pool, terms), audit })
  const [live, ended] = await Promise.all(
    ['t1', 't2'].map((threadId) => credentials.issue({ threadId, providerInstanceId: 'p' })),
  )
  await ended?.revoke()
  tokens = { live: live?.token ?? '', revoked: ended?.token ?? '' }
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }], { audit })
  const app = express()
  app.post('/jobs', requireHmac({ secrets, audience: AUDIENCE, audit, replay: postgresReplay(postgres.pool, terms) }))
  app.post('/mcp', requireMcpCredential({ credentials, audit }))
  app.use((_request, response) => void response.end())
  running = await serve(app)
}, 60_000)
afterAll(async () => {
  await running.close()
  await postgres.stop()
})

/** What each kind of request was answered. */
class Answers {
  readonly #counts = new Map<string, number>()

  note(kind: string, status: number): void {
    const key = `${kind} ${status}`
    this.#counts.set(key, this.count(kind, status) + 1)
  }

  count(kind: string, status: number): number {
    return this.#counts.get(`${kind} ${status}`) ?? 0
  }

  all(): string[] {
    return [...this.#counts.keys()].sort()
  }

  async until(kind: string, status: number, more = 15): Promise<void> {
    const from = this.count(kind, status)
    while (this.count(kind, status) < from + more) await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('[postgres-outage] a server that is stopped, hung and restarted under load gives 503 alone: no honest request is 401, and no dishonest one 200', async () => {
  const answers = new Answers()
  let isOver = false
  const post = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(`http://127.0.0.1:${running.port}${path}`, { method: 'POST', headers })
    await response.arrayBuffer()
    return response.status
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const loops: (() => Promise<void>)[] = [
    async () => answers.note('live', await post('/mcp', bearer(tokens.live))),
    async () => answers.note('revoked', await post('/mcp', bearer(tokens.revoked))),
    async () => {
      const { headers } = signedRequest({ ...SIGNER, url: `http://127.0.0.1:${running.port}/jobs` })
      const first = await post('/jobs', headers)
      answers.note('signed', first)
      // A copy of what was accepted.
      if (first === 200) answers.note('copied', await post('/jobs', headers))
    },
  ]
  const workers = [...loops, ...loops].map(async (work) => {
    while (!isOver) await work()
  })
  const { server } = postgres
  const faults = [
    async () => {
      server.pause()
      await answers.until('live', 503)
      await answers.until('signed', 503)
      server.resume()
    },
    async () => {
      await server.kill()
      await answers.until('live', 503)
      await answers.until('signed', 503)
      await server.restart()
    },
    () => server.restart(),
  ]
  for (const fault of faults) {
    for (const kind of ['live', 'signed']) await answers.until(kind, 200)
    await fault()
  }
  for (const kind of ['live', 'signed']) await answers.until(kind, 200)
  for (const kind of ['revoked', 'copied']) await answers.until(kind, 401)
  isOver = true
  await Promise.all(workers)
  expect(answers.all().filter((one) => one !== 'copied 503')).toEqual(
    ['live 200', 'live 503', 'revoked 401', 'revoked 503', 'signed 200', 'signed 503'].concat('copied 401').sort(),
  )
}, 90_000)
