import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type DpopKey, dpopKey, dpopProof, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ChildApp, startChildApp } from '../support/child-app.js'
import { RedisServer } from '../support/redis-server.js'
import { isLong } from '../support/run-length.js'

const RUNS = isLong ? 50 : 4
const agent = new Agent({ keepAlive: true, maxSockets: 100 })
let redis: RedisServer
let issuer: TestIssuer
let key: DpopKey
let token: string
let children: ChildApp[] = []
let ports: number[] = []

beforeAll(async () => {
  ;[redis, issuer, key] = await Promise.all([RedisServer.start(), testIssuer({ algorithm: 'ES256' }), dpopKey()])
  token = await issuer.token({ boundTo: key, claims: { exp: Math.floor(Date.now() / 1000) + 3600 } })
  const file = fileURLToPath(new URL('dpop-replay-process.ts', import.meta.url))
  const start = (offsetMs: number) =>
    startChildApp(file, {}, [redis.url, issuer.url, issuer.resource, String(offsetMs)])
  // 60 s apart.
  children = await Promise.all([start(-30_000), start(30_000)])
  ports = children.map(({ url }) => Number(new URL(url).port))
}, 60_000)

afterAll(async () => {
  agent.destroy()
  await Promise.all(children.map((child) => child.stop()))
  await issuer.stop()
  await redis.stop()
})

const proofAt = (now = Date.now()) => dpopProof({ key, token, now, url: `${issuer.resource}/` })

function call(port: number, proof: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof }
    request({ host: '127.0.0.1', port, path: '/', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
      .on('error', reject)
      .end()
  })
}

test('[dpop-replay-shared] of 100 copies of one proof at two processes, one is accepted, with clocks 60 s apart', async () => {
  for (let run = 0; run < RUNS; run += 1) {
    const proof = await proofAt()
    const statuses = await Promise.all(
      Array.from({ length: 100 }, (_, index) => call(ports[index % 2] as number, proof)),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(99)
  }
}, 120_000)

test('[dpop-replay-shared] what one process took the other refuses, for as long as it would take it', async () => {
  const [slow = 0, fast = 0] = ports
  const keys = async () => Number(await redis.command('DBSIZE'))
  const before = await keys()
  // As old as the fast clock accepts, and as far ahead as the slow one does.
  for (const proof of [await proofAt(Date.now() - 260_000), await proofAt(Date.now() + 260_000)]) {
    expect(await call(fast, proof)).toBe(200)
    expect(await call(slow, proof)).toBe(401)
    expect(await call(fast, proof)).toBe(401)
  }
  expect(await keys()).toBe(before + 2)
  const stored = (await redis.command('KEYS', '*')) as string[]
  const leftMs = await Promise.all(stored.map(async (name) => Number(await redis.command('PTTL', name))))
  // 300 s by the slow clock, which is 30 s behind, is later than 300 s by the fast one.
  for (const left of leftMs) expect(left).toBeGreaterThan(60_000)
})

test('[dpop-outage] without Redis each process answers 503, and with it again the proof is good', async () => {
  const proof = await proofAt()
  await redis.kill()
  for (const port of ports) expect(await call(port, proof)).toBe(503)
  await redis.restart()
  const untilAnswered = async (port = 0): Promise<number> => {
    for (;;) {
      const status = await call(port, proof)
      if (status !== 503) return status
    }
  }
  expect([await untilAnswered(ports[0]), await untilAnswered(ports[1])]).toEqual([200, 401])
}, 60_000)
