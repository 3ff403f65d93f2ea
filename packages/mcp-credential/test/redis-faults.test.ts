import { createMcpCredentials, type IssuedCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { agent } from './harness.js'
import { keysWithoutTtl } from './support/redis-time.js'

const UNAVAILABLE = { code: 'ERR_COUNTERSIGN_UNAVAILABLE' }
let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
})
afterAll(() => server.stop())
beforeEach(async () => {
  redis = new Redis(server.url, { retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  await redis.flushall()
})
afterEach(() => redis.disconnect())

const registry = (client = redis, options = {}) =>
  createMcpCredentials({
    store: redisCredentials(client, { commandTimeoutMs: 2000, ...options }),
    audit: recordedAudit().audit,
  })

async function recovered<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      expect(error).toMatchObject(UNAVAILABLE)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

test('[mcp-redis-faults] after SCRIPT FLUSH the next decision sends its script again', async () => {
  const credentials = registry()
  const { token } = await credentials.issue(agent)
  for (let round = 0; round < 3; round += 1) {
    await redis.script('FLUSH')
    expect((await credentials.resolve(token)).standing).toBe('live')
  }
  await redis.script('FLUSH')
  expect(await credentials.revokeThread('t1')).toBe(true)
})

test('[mcp-redis-faults] killed in the middle of calls, each is answered or unavailable, and what was acknowledged stands', async () => {
  const credentials = registry()
  const issued = await Promise.all(
    Array.from({ length: 20 }, (_, index) => credentials.issue({ ...agent, threadId: `t${index}` })),
  )
  const calls = Array.from({ length: 200 }, (_, index) => {
    const one = issued[index % 20] as IssuedCredential
    if (index % 10 !== 0) return Promise.resolve(credentials.resolve(one.token)).then(({ standing }) => standing)
    return one.revoke().then(() => `revoked ${one.threadId}`)
  })
  const settling = Promise.allSettled(calls)
  await Promise.race(calls)
  await server.kill()
  const settled = await settling
  for (const result of settled) if (result.status === 'rejected') expect(result.reason).toMatchObject(UNAVAILABLE)
  await expect(credentials.resolve(issued[1]?.token ?? '')).rejects.toMatchObject(UNAVAILABLE)
  await server.restart()
  const acknowledged = settled.flatMap((result) =>
    result.status === 'fulfilled' && result.value.startsWith('revoked ') ? [result.value.slice(8)] : [],
  )
  for (const one of issued) {
    const { standing } = await recovered(async () => credentials.resolve(one.token))
    expect(acknowledged.includes(one.threadId) ? ['revoked'] : ['live', 'revoked']).toContain(standing)
  }
})

test('[mcp-redis-faults] out of memory nothing is issued, but live credentials slide and can be revoked', async () => {
  const credentials = registry()
  const issued = await credentials.issue(agent)
  const other = await credentials.issue({ ...agent, threadId: 't2' })
  await credentials.resolve(issued.token)
  await credentials.revokeThread('nobody')
  await redis.config('SET', 'maxmemory', '1')
  try {
    await expect(credentials.issue({ ...agent, threadId: 't3' })).rejects.toMatchObject(UNAVAILABLE)
    expect((await credentials.resolve(issued.token)).standing).toBe('live')
    expect(await credentials.touch('t1')).toBe(true)
    expect(await issued.revoke()).toBe(true)
    expect(await credentials.revokeThread('t2')).toBe(true)
    expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
    expect((await credentials.resolve(other.token)).standing).toBe('revoked')
  } finally {
    await redis.config('SET', 'maxmemory', '0')
  }
  expect((await credentials.issue({ ...agent, threadId: 't3' })).threadId).toBe('t3')
  expect(await keysWithoutTtl(redis)).toEqual([])
})

test('[mcp-redis-faults] a replica, which may have missed a revocation, grants nothing', async () => {
  const credentials = registry()
  const { token } = await credentials.issue(agent)
  const replica = await RedisServer.start('--replicaof', `127.0.0.1 ${server.port}`)
  const client = new Redis(replica.url)
  try {
    while (!String(await client.info('replication')).includes('master_link_status:up')) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await redis.wait(1, 2000)
    const stale = registry(client)
    await expect(stale.resolve(token)).rejects.toMatchObject(UNAVAILABLE)
    await expect(stale.revokeThread('t1')).rejects.toMatchObject(UNAVAILABLE)
    await expect(stale.issue(agent)).rejects.toMatchObject(UNAVAILABLE)
    // Promoted, it decides.
    await client.call('REPLICAOF', 'NO', 'ONE')
    expect((await recovered(async () => stale.resolve(token))).standing).toBe('live')
  } finally {
    client.disconnect()
    await replica.stop()
  }
})

test('[mcp-redis-faults] a master that is cut off from its replicas grants nothing when min-replicas-to-write says so', async () => {
  const credentials = registry()
  const { token } = await credentials.issue(agent)
  await redis.config('SET', 'min-replicas-to-write', '1')
  await expect(credentials.resolve(token)).rejects.toMatchObject(UNAVAILABLE)
  await redis.config('SET', 'min-replicas-to-write', '0')
  expect((await credentials.resolve(token)).standing).toBe('live')
})

test('[mcp-redis-faults] a Redis that is stopped is unavailable, and what timed out has no effect when it continues', async () => {
  const credentials = registry(redis, { commandTimeoutMs: 1500 })
  const { token } = await credentials.issue(agent)
  server.pause()
  const held = await Promise.allSettled([
    credentials.revokeThread('t1'),
    credentials.revoke(token.split('_')[1] as string),
    Promise.resolve(credentials.resolve(token)),
  ])
  expect(held.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  server.resume()
  expect((await recovered(async () => credentials.resolve(token))).standing).toBe('live')
})

test('[mcp-lost-epochs] an epoch that was evicted or has expired ends every credential that has a copy of it', async () => {
  const credentials = registry()
  const scopes = { thread: ':t:', provider: ':p:', session: ':s:', all: '}:all' }
  for (const part of Object.values(scopes)) {
    const issued = await credentials.issue({ ...agent, providerSessionId: 's1' })
    expect((await credentials.resolve(issued.token)).standing).toBe('live')
    const keys = (await redis.keys('*')).filter((key) => key.includes(part))
    expect(keys.length).toBeGreaterThan(0)
    await redis.del(...keys)
    expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
    const next = await credentials.issue({ ...agent, providerSessionId: 's1', onExisting: 'keep' })
    expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
    expect((await credentials.resolve(next.token)).standing).toBe('live')
  }
})

test('[mcp-lost-epochs] a process with a shorter lifetime shortens no epoch, and what it revokes stays revoked', async () => {
  const credentials = registry()
  const issued = await credentials.issue(agent)
  const short = createMcpCredentials({
    store: redisCredentials(redis),
    audit: recordedAudit().audit,
    idleTimeoutSeconds: 1,
    maximumLifetimeSeconds: 2,
  })
  const ttls = async () => {
    const keys = (await redis.keys('*')).filter((key) => /:(t|p|all|c):?/.test(key)).sort()
    return Promise.all(keys.map((key) => redis.pttl(key)))
  }
  const before = await ttls()
  await short.resolve(issued.token)
  await short.issue({ ...agent, threadId: 't1', providerInstanceId: 'p1', onExisting: 'keep' })
  expect(Math.min(...(await ttls()).slice(0, before.length))).toBeGreaterThan(60_000)
  await short.revoke(issued.credentialId)
  expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
  const [record] = (await redis.keys('*')).filter((key) => key.endsWith(issued.credentialId))
  await redis.del(record as string)
  expect((await credentials.resolve(issued.token)).standing).toBe('unknown')
})

test('[mcp-lost-epochs] with AOF a restart brings back nothing that was revoked', async () => {
  const credentials = registry()
  const [byId, byThread, kept] = [
    await credentials.issue({ ...agent, threadId: 'a' }),
    await credentials.issue({ ...agent, threadId: 'b' }),
    await credentials.issue({ ...agent, threadId: 'c' }),
  ]
  await redis.bgsave()
  await byId.revoke()
  await credentials.revokeThread('b')
  await server.restart()
  const standings: string[] = []
  for (const { token } of [byId, byThread, kept]) {
    standings.push((await recovered(async () => credentials.resolve(token))).standing)
  }
  expect(standings).toEqual(['revoked', 'revoked', 'live'])
})

test('a Redis that evicts is refused, unless dangerouslyAllowEviction is set', async () => {
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  try {
    const guarded = registry()
    await expect(guarded.ready()).rejects.toThrow('maxmemory-policy is allkeys-lru')
    await expect(guarded.issue(agent)).rejects.toMatchObject(UNAVAILABLE)
    const told = registry(redis, { dangerouslyAllowEviction: true })
    await told.ready()
    expect((await told.issue(agent)).threadId).toBe('t1')
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await guarded.ready()
    expect((await guarded.issue(agent)).threadId).toBe('t1')
  } finally {
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
  }
})

test('a decision is one command of Redis, for an alias too once it is known', async () => {
  const credentials = registry()
  const alias = await credentials.issue(agent)
  const holder = await credentials.issue({ ...agent, onExisting: 'carry' })
  for (const { token } of [alias, holder]) await credentials.resolve(token)
  await redis.config('RESETSTAT')
  for (let round = 0; round < 25; round += 1) {
    for (const { token } of [alias, holder]) expect((await credentials.resolve(token)).standing).toBe('live')
  }
  const stats = String(await redis.info('commandstats'))
  const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  expect(calls('evalsha') + calls('eval')).toBe(50)
  expect(calls('hset')).toBe(0)
  expect(calls('config\\|get')).toBe(0)
})

/** Scripts that a server has run since `CONFIG RESETSTAT`. */
async function scriptsOf(client: Redis): Promise<number> {
  const counts = (await client.info('commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

test('revoking a provider, a session of one, or everything is one script on one server', async () => {
  const credentials = registry()
  const scopes: (() => Promise<boolean>)[] = [
    () => credentials.revokeProvider('p1'),
    () => credentials.revokeProviderSession('s1'),
    () => credentials.revokeAll(),
  ]
  for (const revoke of scopes) {
    const issued = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        credentials.issue({ ...agent, threadId: `t${index}`, providerSessionId: 's1' }),
      ),
    )
    await redis.config('RESETSTAT')
    expect([await revoke(), await scriptsOf(redis)]).toEqual([true, 1])
    const standings = await Promise.all(issued.map(async ({ token }) => (await credentials.resolve(token)).standing))
    expect(new Set(standings)).toEqual(new Set(['revoked']))
    expect(await revoke()).toBe(false)
  }
})

test('on a lone server whose keys lie in slots it is a script for each partition', async () => {
  const lone = await RedisServer.start('--cluster-enabled', 'yes')
  const client = new Redis(lone.url)
  await client.cluster('ADDSLOTSRANGE', 0, 16_383)
  while (!String(await client.cluster('INFO')).includes('cluster_state:ok')) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const credentials = registry(client)
  const issued = await Promise.all(
    Array.from({ length: 40 }, (_, index) => credentials.issue({ ...agent, threadId: `t${index}` })),
  )
  expect(await credentials.revokeProvider('p1')).toBe(true)
  const standings = await Promise.all(issued.map(async ({ token }) => (await credentials.resolve(token)).standing))
  expect(new Set(standings)).toEqual(new Set(['revoked']))
  await client.config('RESETSTAT')
  expect([await credentials.revokeProvider('p1'), await scriptsOf(client)]).toEqual([false, 16])
  client.disconnect()
  await lone.stop()
})

test('a carried token is found through changes of its holder by another process', async () => {
  const one = registry()
  const other = registry()
  const first = await one.issue(agent)
  const second = await one.issue({ ...agent, onExisting: 'carry' })
  expect((await one.resolve(first.token)).credential?.credentialId).toBe(second.credentialId)
  const third = await other.issue({ ...agent, onExisting: 'carry' })
  expect((await one.resolve(first.token)).credential?.credentialId).toBe(third.credentialId)
})

test('concurrent issues that carry all succeed, one after the other', async () => {
  const credentials = registry()
  const first = await credentials.issue(agent)
  const issued = await Promise.all(
    Array.from({ length: 4 }, () => credentials.issue({ ...agent, onExisting: 'carry' })),
  )
  const found = new Set<string | undefined>()
  for (const { token } of [first, ...issued]) found.add((await credentials.resolve(token)).credential?.credentialId)
  expect(found.size).toBe(1)
  expect(issued.map(({ credentialId }) => credentialId)).toContain([...found][0])
})
