import { createSettingsSessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { requiredAudit } from '../../../test/support/required-audit.js'
import * as identityScripts from '../src/store/redis/identity-scripts.js'
import * as scripts from '../src/store/redis/scripts.js'
import { type Cut, type CuttingRedis, cuttingRedis } from './support/cutting-redis.js'
import { storeChanges } from './support/store-changes.js'
import { claim, newIdentity, newUser, opened, rebind } from './support/store-world.js'
import { until } from './support/until.js'

const patient = { commandTimeoutMs: 20_000 }
const awaiting = { state: 'awaiting_identity' } as const

let server: RedisServer
let direct: Redis
let healthy: SettingsStore
beforeAll(async () => {
  server = await RedisServer.start()
  direct = new Redis(server.url)
  healthy = redisSessions(direct, patient)
})
afterAll(async () => {
  direct.disconnect()
  await server.stop()
})

type Command = (...args: (string | number)[]) => Promise<[number, unknown]>

/** All that Redis holds, in an order that does not depend on the tables of the server, as that of DUMP does. */
async function everything(): Promise<unknown> {
  const keys = (await direct.keys('*')).sort()
  const values = keys.map(async (key) => [key, await contentOf(key)])
  return Object.fromEntries(await Promise.all(values))
}

async function contentOf(key: string): Promise<unknown> {
  const type = await direct.type(key)
  if (type === 'hash') return Object.entries(await direct.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1))
  if (type === 'zset') return direct.call('ZRANGE', key, '0', '-1', 'WITHSCORES')
  if (type === 'set') return (await direct.smembers(key)).sort()
  if (type === 'string') return direct.get(key)
  if (type === 'none') return undefined
  throw new Error(`no store keeps a ${type}`)
}

/** A client that sends each script twice, and compares. `seen` gets the names of those that changed something. */
function doublingClient(seen: Set<string>): Redis {
  const redis = new Redis(server.url)
  const define = redis.defineCommand.bind(redis)
  const commands = redis as unknown as Record<string, Command>
  redis.defineCommand = (name, definition) => {
    define(name, definition)
    const send = (commands[name] as Command).bind(redis)
    commands[name] = async (...args) => {
      const before = JSON.stringify(await everything())
      const first = await send(...args)
      const after = JSON.stringify(await everything())
      if (after === before) return first
      seen.add(name.replace(/^countersign_(.*)_[0-9a-f]{16}.*/, '$1'))
      const second = await send(...args)
      expect({ name, reply: second[1] }).toEqual({ name, reply: first[1] })
      expect(JSON.stringify(await everything())).toBe(after)
      return first
    }
  }
  return redis
}

describe('[settings-resent] run twice with the same arguments, a script answers the same and leaves the same:', () => {
  const seen = new Set<string>()
  let redis: Redis
  let store: SettingsStore
  beforeAll(() => {
    redis = doublingClient(seen)
    store = redisSessions(redis, patient)
  })
  afterAll(() => redis.disconnect())

  test.each(storeChanges.map((change) => [change.title, change] as const))('%s', async (_title, change) => {
    await direct.flushdb()
    const make = await change.prepare(healthy)
    expect(await make(store)).toBe(change.outcome)
  })

  test('every script that changes state is among them', () => {
    const changing = Object.values({ ...scripts, ...identityScripts }).filter(({ lua }) => lua.includes('keep('))
    expect(changing.length).toBeGreaterThan(15)
    expect(changing.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([])
  })
})

describe('[settings-resent] when the connection is cut and the client sends a command again,', () => {
  let proxy: CuttingRedis
  let redis: Redis
  let store: SettingsStore
  beforeAll(async () => {
    proxy = await cuttingRedis(server.port)
    redis = new Redis(proxy.url, { retryStrategy: () => 1, maxRetriesPerRequest: null })
    redis.on('error', () => undefined)
    store = redisSessions(redis, patient)
    // The scripts are known from here on.
    for (const change of storeChanges) await (await change.prepare(healthy))(store)
  })
  afterAll(async () => {
    redis.disconnect()
    await proxy.close()
  })

  const connected = () =>
    until(
      () => redis.status === 'ready' && proxy.connections > proxy.cuts,
      (isConnected) => isConnected,
    )

  /** Cuts each command of a change, once. */
  async function cutting<T>(cut: Cut, work: () => T | Promise<T>): Promise<T> {
    await connected()
    const before = proxy.cuts
    proxy.cutEach(cut)
    try {
      return await work()
    } finally {
      proxy.cutEach(undefined)
      expect(proxy.cuts).toBeGreaterThan(before)
    }
  }

  test.each(storeChanges.map((change) => [change.title, change] as const))(
    '%s has the outcome that it would have had, wherever the cut is',
    async (_title, change) => {
      await connected()
      await (await change.prepare(healthy))(store)
      const { command, answer } = { ...proxy.last }
      const cuts: Cut[] = [
        ...[0, 1, command >> 1, command - 1, command].map((afterBytes) => ({ of: 'command', afterBytes }) as const),
        ...[0, 1, answer >> 1, answer].map((afterBytes) => ({ of: 'answer', afterBytes }) as const),
      ]
      for (const cut of cuts) {
        const make = await change.prepare(healthy)
        const outcome = await cutting(cut, () => make(store))
        expect({ cut, outcome }).toEqual({ cut, outcome: change.outcome })
      }
    },
    60_000,
  )

  const lost: Cut = { of: 'answer', afterBytes: 0 }

  test('one identity is not bound to two users', async () => {
    const identity = newIdentity()
    const [one, two] = [newUser(), newUser()]
    const first = await opened(healthy, one, awaiting)
    expect((await cutting(lost, () => claim(store, first.session, identity))).outcome).toBe('activated')
    const second = await opened(healthy, two, awaiting)
    expect((await claim(healthy, second.session, identity)).outcome).toBe('taken')
    expect([await healthy.identityOf(one), await healthy.identityOf(two)]).toEqual([identity, undefined])
  })

  test('a new binding keeps its reservation, and the one before is free', async () => {
    const [one, two, three] = [newUser(), newUser(), newUser()]
    const [before, after] = [newIdentity(), newIdentity()]
    await rebind(healthy, one, before)
    await rebind(healthy, one, newIdentity())
    await rebind(healthy, one, before)
    expect(await cutting(lost, () => rebind(store, one, after))).toMatchObject({ outcome: 'bound' })
    const other = await opened(healthy, two, awaiting)
    expect((await claim(healthy, other.session, after)).outcome).toBe('taken')
    expect((await rebind(healthy, three, before)).outcome).toBe('bound')
    expect(await cutting(lost, () => store.unlink(one))).toEqual(after)
    expect((await rebind(healthy, two, after)).outcome).toBe('bound')
  })
})

describe('a reservation that cannot be released', () => {
  let redis: Redis
  let store: SettingsStore
  let refusals = 0
  beforeAll(() => {
    redis = new Redis(server.url)
    const define = redis.defineCommand.bind(redis)
    redis.defineCommand = (name, definition) => {
      define(name, definition)
      if (!name.startsWith('countersign_settings_release')) return
      ;(redis as unknown as Record<string, () => Promise<never>>)[name] = () => {
        refusals += 1
        return Promise.reject(new Error('Connection is closed.'))
      }
    }
    store = redisSessions(redis, patient)
  })
  afterAll(() => redis.disconnect())

  test('does not make a rebinding, an unlinking or a refusal fail that is done, and is recorded', async () => {
    const { audit, recorded } = requiredAudit()
    const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings', store, audit })
    const user = newUser()
    const [before, after] = [newIdentity(), newIdentity()]
    await settings.rebind(user, before)
    expect(await settings.rebind(user, after)).toBe('bound')
    expect(await settings.unlink(user)).toBe(true)
    expect(await settings.identityOf(user)).toBeUndefined()
    expect(recorded.map(({ type }) => type).filter((type) => type.startsWith('settings.identity.'))).toEqual([
      'settings.identity.claimed',
      'settings.identity.claimed',
      'settings.identity.unlinked',
    ])
    expect(refusals).toBe(2)
  })

  test('is free again once it has not been renewed for a minute, and its user has another identity', async () => {
    const [user, other] = [newUser(), newUser()]
    const [before, after] = [newIdentity(), newIdentity()]
    await rebind(store, user, before)
    await rebind(store, user, after)
    expect((await rebind(store, other, before)).outcome).toBe('contended')
    for (const key of await direct.keys('*:r:*')) await direct.hincrby(key, 'at', -60_000)
    expect((await rebind(store, other, before)).outcome).toBe('bound')
    expect((await rebind(store, other, after)).outcome).toBe('taken')
  })
})
