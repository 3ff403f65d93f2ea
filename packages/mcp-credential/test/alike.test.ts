import { Agent, get } from 'node:http'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { isLong } from '../../../test/support/run-length.js'
import { mcpApp, withOtherSecret } from './harness.js'

/** Of each kind. The medians of a few thousand differ by more on a busy machine. */
const COUNT = isLong ? 100_000 : 2000
const MOST_APART = isLong ? 0.02 : 0.08
/** A run among whose medians another process has sat is measured once more. */
const MOST_RUNS = isLong ? 2 : 8
const WARM_UP = 1000
const TOKENS = 50

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Requests one after the other on one connection, and how many microseconds each took. */
function timedRequests(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const one = (token: string) =>
    new Promise<number>((resolve, reject) => {
      const from = process.hrtime.bigint()
      get({ host: '127.0.0.1', port, agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
        response.resume().on('end', () => {
          if (response.statusCode !== 401) reject(new Error(`answered ${response.statusCode}`))
          resolve(Number(process.hrtime.bigint() - from) / 1000)
        })
      }).on('error', reject)
    })
  return { one, close: () => agent.destroy() }
}

const median = (values: Float64Array) => values.sort()[values.length >> 1] as number

const stores: [string, () => McpCredentialStore | undefined][] = [
  ['memory', () => undefined],
  ['Redis', () => redisCredentials(redis, { commandTimeoutMs: 10_000 })],
]

test.each(stores)(
  '[mcp-identical-401s] in %s an unknown id is answered as soon as a wrong secret',
  async (name, open) => {
    const own = open()
    const app = await mcpApp({ before: [], ...(own && { wrapStore: () => own }) })
    const elsewhere = createMcpCredentials({ store: memoryCredentials(), audit: createAudit() })
    const tokens: { unknown: string; wrong: string }[] = []
    for (let index = 0; index < TOKENS; index += 1) {
      const subject = { threadId: `t${index}`, providerInstanceId: 'p', capabilities: ['preview'] }
      const { token } = await app.credentials.issue(subject)
      tokens.push({ unknown: (await elsewhere.issue(subject)).token, wrong: withOtherSecret(token) })
    }
    const ask = timedRequests(app.port)
    const run = async (count: number) => {
      const took = { unknown: new Float64Array(count), wrong: new Float64Array(count) }
      for (let index = 0; index < count; index += 1) {
        const kinds = Math.random() < 0.5 ? (['unknown', 'wrong'] as const) : (['wrong', 'unknown'] as const)
        for (const kind of kinds) took[kind][index] = await ask.one(tokens[index % TOKENS]?.[kind] ?? '')
      }
      const [unknown, wrong] = [median(took.unknown), median(took.wrong)]
      return { unknown, wrong, apart: Math.abs(wrong / unknown - 1) }
    }
    await run(WARM_UP)
    let found = await run(COUNT)
    for (let runs = 1; found.apart > MOST_APART && runs < MOST_RUNS; runs += 1) found = await run(COUNT)
    if (isLong) console.log(name, found)
    expect(found.apart).toBeLessThan(MOST_APART)
    ask.close()
    await app.close()
  },
  isLong ? 600_000 : 60_000,
)
