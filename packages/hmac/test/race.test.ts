import { Agent, request as httpRequest } from 'node:http'
import { fileURLToPath } from 'node:url'
import { rfc9421 } from '@countersign/hmac'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ChildApp, startChildApp } from '../../../test/support/child-app.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { AUDIENCE, SECRET, signed } from './harness.js'

const agent = new Agent({ keepAlive: true, maxSockets: 100 })
let redis: RedisServer
let children: ChildApp[] = []
let ports: number[] = []

beforeAll(async () => {
  redis = await RedisServer.start()
  const file = fileURLToPath(new URL('race-process.ts', import.meta.url))
  children = await Promise.all([0, 1].map(() => startChildApp(file, {}, [redis.url, SECRET, AUDIENCE])))
  ports = children.map(({ url }) => Number(new URL(url).port))
}, 30_000)

afterAll(async () => {
  agent.destroy()
  await Promise.all(children.map((child) => child.stop()))
  await redis.stop()
})

function post(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/jobs?a=1', agent, headers }
    httpRequest(options, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
      .on('error', reject)
      .end()
  })
}

const sign = () => signed({ format: rfc9421(), version: 1, now: Date.now() })

test('[hmac-processes] [hmac-copies] two processes on one Redis accept exactly one of 100 copies, 50 runs out of 50', async () => {
  for (let run = 0; run < 50; run += 1) {
    const headers = sign()
    const copies = Array.from({ length: 100 }, (_, index) => post(ports[index % 2] as number, headers))
    const statuses = await Promise.all(copies)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(99)
  }
}, 60_000)

test('[hmac-one-command] a decision is one command of Redis', async () => {
  await redis.command('CONFIG', 'RESETSTAT')
  for (let round = 0; round < 20; round += 1) expect(await post(ports[0] as number, sign())).toBe(200)
  const stats = String(await redis.command('INFO', 'commandstats'))
  const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  expect(calls('evalsha') + calls('eval')).toBe(20)
  // The rest is what the script itself does, and this test.
  const names = [...stats.matchAll(/cmdstat_([^:]+):/g)].map(([, name]) => name)
  expect(
    names.filter((name) => !/^(evalsha|eval|time|set|config\|resetstat|info|hello|client.*)$/.test(name ?? '')),
  ).toEqual([])
})
