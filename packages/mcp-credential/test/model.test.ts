import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMcpCredentials, type MemoryCredentialStore, memoryCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { startPglite } from '../../../test/support/postgres-tables.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { emptyPostgres, passInPostgres } from './support/postgres-time.js'
import { emptyRedis, keysWithoutTtl, passInRedis } from './support/redis-time.js'
import { LIFE, ReferenceModel } from './support/reference-model.js'

interface World {
  store: McpCredentialStore
  pass(ms: number): Promise<void>
  /** Answers how much of it counts as running. */
  sleep(ms: number): Promise<number>
  restart(): Promise<void>
}

const MINUTE = 60_000
const thread = fc.constantFrom('t1', 't2', 't3')
const provider = fc.constantFrom('p1', 'p2')
const session = fc.constantFrom(undefined, 's1', 's2')
// Two seconds off the minute: no history of this length comes within two seconds of an edge, which lie on minutes.
const time = fc.constantFrom(1, 7, 14, 24, 29, 31, 40).map((minutes) => minutes * MINUTE + 2000)

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('issue' as const),
      thread,
      provider,
      session,
      onExisting: fc.constantFrom('supersede' as const, 'keep' as const, 'carry' as const),
      overlap: fc.constantFrom(0, 0, 10 * MINUTE),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('use' as const), which: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('touch' as const), thread }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('pass' as const), time }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sleep' as const), time }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revoke' as const), which: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revokeThread' as const), thread }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revokeProvider' as const), provider }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('revokeSession' as const), session: fc.constantFrom('s1', 's2') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revokeAll' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const), thread: fc.constant('t3') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never
const histories = fc.array(command, { minLength: 5, maxLength: 45 })

/** Plays a history on a store and on the model, and compares after every step. */
async function play(world: World, history: readonly Command[]): Promise<void> {
  const model = new ReferenceModel()
  const audit = recordedAudit().audit
  const registry = () =>
    createMcpCredentials({
      store: world.store,
      audit,
      idleTimeoutSeconds: LIFE.idle / 1000,
      maximumLifetimeSeconds: LIFE.maximum / 1000,
    })

  async function look(which: number): Promise<void> {
    const token = model.tokens[which % Math.max(1, model.tokens.length)]
    if (token === undefined) return
    const allowed = model.allowed(token)
    const { standing, credential } = await registry().resolve(token.token)
    expect([...allowed]).toContain(standing)
    if (credential !== undefined) expect(credential.credentialId).toBe((token.holder ?? token).id)
    if (standing === 'live') model.used(token)
  }

  async function perform(step: Command): Promise<void> {
    const credentials = registry()
    switch (step.do) {
      case 'issue': {
        const { onExisting, overlap } = step
        const request = {
          threadId: step.thread,
          providerInstanceId: step.provider,
          providerSessionId: step.session,
          onExisting,
          overlapSeconds: onExisting === 'supersede' ? overlap / 1000 : 0,
        }
        if (model.retired.has(step.thread)) {
          await expect(credentials.issue(request)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_THREAD_RETIRED' })
          return
        }
        const issued = await credentials.issue(request)
        const { credentialId: id, token } = issued
        const added = model.add({ id, token, thread: step.thread, provider: step.provider, session: step.session })
        if (onExisting === 'supersede') model.supersede(added, overlap)
        if (onExisting === 'carry') expect(model.carry(added, issued.carried)).toEqual([])
        return
      }
      case 'use':
        return look(step.which)
      case 'touch':
        await credentials.touch(step.thread)
        return model.touch(step.thread)
      case 'pass':
        await world.pass(step.time)
        model.now += step.time
        model.running += step.time
        return
      case 'sleep':
        model.running += await world.sleep(step.time)
        model.now += step.time
        return
      case 'revoke': {
        const token = model.tokens[step.which % Math.max(1, model.tokens.length)]
        if (token === undefined) return
        await credentials.revoke(token.id)
        return model.revoke(({ id }) => id === token.id)
      }
      case 'revokeThread':
        await credentials.revokeThread(step.thread)
        return model.revoke((token) => token.thread === step.thread)
      case 'revokeProvider':
        await credentials.revokeProvider(step.provider)
        return model.revoke((token) => token.provider === step.provider)
      case 'revokeSession':
        await credentials.revokeProviderSession(step.session)
        return model.revoke((token) => token.holder === undefined && token.session === step.session)
      case 'revokeAll':
        await credentials.revokeAll()
        return model.revoke(() => true)
      case 'retire':
        await credentials.retire(step.thread)
        model.retired.add(step.thread)
        return model.revoke((token) => token.thread === step.thread)
      case 'restart':
        // It forgets nothing.
        return world.restart()
    }
  }

  for (const step of history) await perform(step)
  for (let which = 0; which < model.tokens.length; which += 1) await look(which)
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-model-'))
let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'no')
  redis = new Redis(server.url, { commandTimeout: 20_000 })
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

function memoryWorld(clock: FakeClock): World {
  const file = join(folder, 'credentials')
  let store: MemoryCredentialStore = memoryCredentials({ clock, file, fsync: 'never' })
  return {
    get store() {
      return store
    },
    async pass(ms) {
      for (let left = ms; left > 0; left -= 15_000) {
        clock.advance(Math.min(left, 15_000))
        store.tick()
      }
    },
    async sleep(ms) {
      clock.advance(ms)
      store.tick()
      return Math.min(ms, 30_000)
    },
    async restart() {
      // As after a kill: nothing is written at the end.
      for (const part of ['', '.head']) renameSync(file + part, `${file}.killed${part}`)
      await store.close?.()
      for (const part of ['', '.head']) renameSync(`${file}.killed${part}`, file + part)
      store = memoryCredentials({ clock, file, fsync: 'never' })
    },
  }
}

test('random histories in memory follow the reference model', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name))
      const world = memoryWorld(fakeClock())
      await play(world, history)
      await world.store.close?.()
    }),
    { numRuns: 400 },
  )
}, 60_000)

test('random histories in Redis follow the same model, and leave no key without a TTL', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      await emptyRedis(redis)
      let store = redisCredentials(redis, { commandTimeoutMs: 10_000 })
      await play(
        {
          get store() {
            return store
          },
          pass: (ms) => passInRedis(redis, ms),
          async sleep(ms) {
            await passInRedis(redis, ms)
            return ms
          },
          async restart() {
            store = redisCredentials(redis, { commandTimeoutMs: 10_000 })
          },
        },
        history,
      )
      expect(await keysWithoutTtl(redis)).toEqual([])
    }),
    { numRuns: 80 },
  )
}, 60_000)

test('random histories in PostgreSQL follow the same model', async () => {
  const database = await startPglite()
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      await emptyPostgres(database)
      const store = postgresCredentials(database, { commandTimeoutMs: 20_000 })
      await play(
        {
          store,
          pass: (ms) => passInPostgres(database, ms),
          async sleep(ms) {
            await passInPostgres(database, ms)
            return ms
          },
          restart: async () => undefined,
        },
        history,
      )
    }),
    { numRuns: 60 },
  )
  await database.close()
}, 120_000)
