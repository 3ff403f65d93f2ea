// What a decision costs on PostgreSQL and on Redis, both on this machine with their defaults and what is advised: `npm run
// bench:postgres`. Sixteen requests at once, as one process of an app has them; rounds by turns.
import { randomBytes } from 'node:crypto'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { postgresReplay } from '@countersign/postgres'
import { redisReplay } from '@countersign/redis'
import { postgresSessions } from '@countersign/settings-session/postgres'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { Redis } from 'ioredis'
import { poolOf, startPostgres } from '../support/postgres-tables.js'
import { RedisServer } from '../support/redis-server.js'

const AT_ONCE = 16
const ROUNDS = 5
const CALLS = 4000
const patient = { commandTimeoutMs: 20_000 }

type Call = () => Promise<unknown>

async function credentialCall(store: McpCredentialStore): Promise<Call> {
  const credentials = createMcpCredentials({ store })
  const tokens: string[] = []
  for (let count = 0; count < 200; count += 1) {
    tokens.push((await credentials.issue({ threadId: `t${count}`, providerInstanceId: 'p' })).token)
  }
  let turn = 0
  return async () => {
    const { standing } = await credentials.resolve(tokens[turn++ % tokens.length] as string)
    if (standing !== 'live') throw new Error(standing)
  }
}

async function sessionCall(store: SettingsStore): Promise<Call> {
  const refs = Array.from({ length: 200 }, (_, index) => {
    const user = { platform: 'slack', userId: `u${index}` }
    return {
      user,
      ref: { tag: `0${randomBytes(12).toString('base64url')}`, hash: randomBytes(32).toString('base64url') },
    }
  })
  const limits = { idleMs: 1_800_000, absoluteMs: 28_800_000, maxSessions: 5 }
  for (const { ref, user } of refs)
    await store.openSession({ ref, content: { user, kind: 'settings' }, state: 'active', limits })
  let turn = 0
  return async () => {
    const { outcome } = await store.read((refs[turn++ % refs.length] as (typeof refs)[number]).ref)
    if (outcome !== 'found') throw new Error(outcome)
  }
}

interface Figures {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuUs: number
}

async function measure(call: Call): Promise<Figures> {
  const times: number[] = []
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const worker = async () => {
    while (times.length < CALLS) {
      const askedMs = performance.now()
      await call()
      times.push(performance.now() - askedMs)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const tookMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(cpu)
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] as number
  return {
    perSecond: (times.length / tookMs) * 1000,
    p50: at(0.5),
    p99: at(0.99),
    cpuUs: (user + system) / times.length,
  }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

const postgres = await startPostgres()
const pool = poolOf(postgres.server.url, { max: 10 })
const server = await RedisServer.start('--appendonly', 'yes')
const redis = new Redis(server.url, { commandTimeout: 20_000, socketTimeout: 20_000 })
const claims = (store: ReturnType<typeof redisReplay>) => async () =>
  store.claim(randomBytes(16).toString('base64url'), 300_000)
const cases: readonly (readonly [string, readonly (readonly [string, Call])[]])[] = [
  [
    'replay claim',
    [
      ['Redis', claims(redisReplay(redis, patient))],
      ['PostgreSQL', claims(postgresReplay(pool, patient))],
    ],
  ],
  [
    'MCP credential',
    [
      ['Redis', await credentialCall(redisCredentials(redis, patient))],
      ['PostgreSQL', await credentialCall(postgresCredentials(pool, patient))],
    ],
  ],
  [
    'settings session',
    [
      ['Redis', await sessionCall(redisSessions(redis, patient))],
      ['PostgreSQL', await sessionCall(postgresSessions(pool, patient))],
    ],
  ],
]
console.log('| decision | store | per second | p50 | p99 | CPU of the app |\n|---|---|---:|---:|---:|---:|')
for (const [decision, stores] of cases) {
  const rounds = stores.map((): Figures[] => [])
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, [, call]] of stores.entries()) {
      const figures = await measure(call)
      // The first one warms up.
      if (round > 0) (rounds[index] as Figures[]).push(figures)
    }
  }
  for (const [index, [store]] of stores.entries()) {
    const of = (pick: (figures: Figures) => number) => median((rounds[index] as Figures[]).map(pick))
    const cells = [`${Math.round(of((one) => one.perSecond))}`, `${of((one) => one.p50).toFixed(2)} ms`]
    const more = [`${of((one) => one.p99).toFixed(2)} ms`, `${Math.round(of((one) => one.cpuUs))} µs`]
    console.log(`| ${[decision, store, ...cells, ...more].join(' | ')} |`)
  }
}
redis.disconnect()
await pool.end()
await Promise.all([server.stop(), postgres.stop()])
