import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { parseToken, secretDigest } from '../src/token.js'
import { agent } from './harness.js'
import { race } from './support/race.js'
import { keysWithoutTtl } from './support/redis-time.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

test('[mcp-revoke-against-slides] of 1000 uses that race a revocation, none that starts after its acknowledgement succeeds', async () => {
  const redis = new Redis(server.url)
  const store = redisCredentials(redis, { commandTimeoutMs: 10_000 })
  const credentials = createMcpCredentials({ store, audit: recordedAudit().audit })
  // Nothing coalesces: every use is written.
  const life = { idleTimeoutMs: 3_600_000, coalesceMs: 0, maximumLifetimeMs: 86_400_000, absoluteLifetimeMs: undefined }
  const eager = { ...life, retentionMs: 3_600_000, revivesIdle: false, slidesOnUse: true, slidesOnTouch: true }
  for (const kind of ['id', 'thread', 'provider', 'session', 'all'] as const) {
    const issued = await credentials.issue({ ...agent, providerSessionId: 's1' })
    const end = {
      id: () => issued.revoke(),
      thread: () => credentials.revokeThread('t1'),
      provider: () => credentials.revokeProvider('p1'),
      session: () => credentials.revokeProviderSession('s1'),
      all: () => credentials.revokeAll(),
    }
    let isAcknowledged = false
    let late = 0
    let before = 0
    const uses = Array.from({ length: 1000 }, async (_, index) => {
      if (index === 300) {
        await end[kind]()
        isAcknowledged = true
      }
      // Some begin immediately, some when others were answered.
      for (let wait = 0; wait < index % 7; wait += 1) await redis.ping()
      const began = isAcknowledged
      const { id, secret } = parseToken('mcps', issued.token) ?? { id: '', secret: '' }
      const found = await store.resolve(id, secretDigest('mcps', store.namespace ?? '', secret), eager)
      const standing = found?.isProven ? found.standing : undefined
      if (standing === 'live' && began) late += 1
      if (standing === 'live' && !began) before += 1
    })
    await Promise.all(uses)
    expect(late).toBe(0)
    expect(before).toBeGreaterThan(0)
    expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
    expect(await keysWithoutTtl(redis)).toEqual([])
  }
  redis.disconnect()
}, 60_000)

test('[mcp-revoke-against-slides] in 30 seconds with 8 processes and 1000 threads nothing revoked gets in', async () => {
  const result = await race({ nodes: [server.port], processes: 8, threads: 1000, milliseconds: 30_000 })
  const { violations, withoutTtl, ...figures } = result
  console.log('one Redis', figures, `violations ${violations.length}`)
  expect(violations).toEqual([])
  expect(withoutTtl).toEqual([])
  expect(figures.revocations).toBeGreaterThan(100)
  expect(figures.granted).toBeGreaterThan(1000)
  expect(figures.resolves).toBeGreaterThan(figures.granted)
}, 120_000)

/** A process whose wall clock is wrong by `shiftMs`. */
function startShifted(shiftMs: number): ChildProcess {
  const file = fileURLToPath(new URL('support/shifted-process.ts', import.meta.url))
  return fork(file, [server.url, String(shiftMs)], {
    execArgv: ['--conditions=dev-source', '--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
}

async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  child.send(message)
  const answer = await messageFrom(child, (reply) => reply as T & { error?: string })
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer
}

test('[mcp-clocks-apart] two processes whose clocks are an hour apart agree on standings and deadlines', async () => {
  const [behind, ahead] = [startShifted(-1_800_000), startShifted(1_800_000)]
  await Promise.all([behind, ahead].map((child) => messageFrom(child, ({ ready }) => ready)))
  interface Told {
    token: string
    standing: string
    expiresAt: number
    idleAt: number
    clock: number
  }
  const issued = await ask<Told>(behind, { issue: 't1' })
  const seen = await ask<Told>(ahead, { resolve: issued.token })
  expect(seen.clock - issued.clock).toBeGreaterThan(3_500_000)
  expect([seen.standing, seen.expiresAt, seen.idleAt]).toEqual(['live', issued.expiresAt, issued.idleAt])
  const other = await ask<Told>(ahead, { issue: 't2' })
  expect(Math.abs(other.expiresAt - issued.expiresAt)).toBeLessThan(60_000)
  expect((await ask<Told>(behind, { resolve: other.token })).standing).toBe('live')
  await ask(ahead, { revokeThread: 't1' })
  expect((await ask<Told>(behind, { resolve: issued.token })).standing).toBe('revoked')
  behind.kill()
  ahead.kill()
}, 120_000)
