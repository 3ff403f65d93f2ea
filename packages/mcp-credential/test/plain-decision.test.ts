import { randomBytes } from 'node:crypto'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { CredentialLife, McpCredentialStore, NewCredential } from '@countersign/mcp-credential/store'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { resolveLife } from '../src/registry/life.js'
import { mintToken } from '../src/token.js'
import { passInRedis } from './support/redis-time.js'

const MINUTE_MS = 60_000
const digest = randomBytes(32)
const lifeOf = (slideOn: 'use' | 'touch' | 'both', absoluteLifetimeSeconds?: number) =>
  resolveLife(
    'test',
    { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds, slideOn },
    false,
  )

let server: RedisServer
let redis: Redis
let store: McpCredentialStore
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  store = redisCredentials(redis, { commandTimeoutMs: 20_000 })
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

async function issue(life: CredentialLife, more: Partial<NewCredential> = {}): Promise<string> {
  const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: undefined, ...more }
  const { id } = mintToken('mcps', subject)
  const terms = { id, digest, capabilities: ['a', 'b'], onExisting: 'supersede', overlapMs: 0 } as const
  const { outcome } = await store.issue({ ...terms, ...subject }, life)
  expect(outcome).toBe('issued')
  return id
}

/** How often the server ran each command while something was done. */
async function callsOf(work: () => unknown): Promise<(command: string) => number> {
  await server.command('CONFIG', 'RESETSTAT')
  await work()
  const stats = String(await server.command('INFO', 'commandstats'))
  return (command) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

const cases: readonly [string, CredentialLife, (life: CredentialLife) => Promise<string>][] = [
  ['without a session', lifeOf('both'), (life) => issue(life)],
  ['of a session', lifeOf('use'), (life) => issue(life, { providerSessionId: 's1' })],
  [
    'beside others',
    lifeOf('both'),
    async (life) => [await issue(life), await issue(life, { onExisting: 'keep' })][0] ?? '',
  ],
  ['that superseded another', lifeOf('both'), async (life) => [await issue(life), await issue(life)][1] ?? ''],
  ['that ends some day', lifeOf('both', 90_000), (life) => issue(life)],
  ...(['touch', 'both'] as const).map((slideOn): (typeof cases)[number] => [
    `whose thread was touched, with slideOn ${slideOn}`,
    lifeOf(slideOn),
    async (life) => {
      const id = await issue(life)
      await passInRedis(redis, slideOn === 'touch' ? 20 * MINUTE_MS : 30_000)
      await store.touch('t1', life)
      await passInRedis(redis, slideOn === 'touch' ? 20 * MINUTE_MS : 1000)
      return id
    },
  ]),
]

test.each(cases)(
  'a decision on a live credential %s is one command that writes nothing, and finds what the whole record says',
  async (_what, life, prepare) => {
    const id = await prepare(life)
    await store.resolve(id, digest, life)
    const [key = ''] = await redis.keys(`*:c:${id}`)
    const before = await redis.hgetallBuffer(key)
    let found: unknown
    const calls = await callsOf(async () => {
      found = await store.resolve(id, digest, life)
    })
    expect([calls('evalsha') + calls('eval'), calls('hset'), calls('pexpire')]).toEqual([1, 0, 0])
    expect(found).toEqual({ ...(await store.peek(id, life)), isProven: true })
    expect(Object.keys(before).length).toBeGreaterThan(0)
    expect(await redis.hgetallBuffer(key)).toEqual(before)
  },
)

test('a use that moves a deadline is written by a second command, and an alias needs one', async () => {
  const life = lifeOf('both')
  const old = await issue(life)
  await passInRedis(redis, 10 * MINUTE_MS)
  const use = async () => callsOf(() => store.resolve(old, digest, life))
  const sliding = await use()
  expect([sliding('evalsha') + sliding('eval'), sliding('hset')]).toEqual([2, 1])
  const plain = await use()
  expect([plain('evalsha'), plain('hset')]).toEqual([1, 0])
  const holder = await issue(life, { onExisting: 'carry' })
  expect(await store.resolve(old, digest, life)).toMatchObject({
    standing: 'live',
    credential: { credentialId: holder },
  })
  expect((await use())('evalsha')).toBe(1)
})

test('what is no secret of a credential, or of none, is refused by one command alike', async () => {
  const life = lifeOf('both')
  const known = await issue(life)
  const unknown = mintToken('mcps', { threadId: 't1', providerInstanceId: 'p1', providerSessionId: undefined }).id
  const [wrong, none] = [randomBytes(32), digest]
  await store.resolve(known, wrong, life)
  const commands = ['evalsha', 'getex', 'hget', 'hmget', 'get', 'mget', 'hset']
  const counted = async (id: string, secret: Buffer) => {
    const calls = await callsOf(() => store.resolve(id, secret, life))
    return commands.map(calls)
  }
  expect(await store.resolve(known, wrong, life)).toEqual({ isProven: false })
  expect(await store.resolve(unknown, none, life)).toBeUndefined()
  expect(await counted(known, wrong)).toEqual(await counted(unknown, none))
})
