import type { ReplayStore } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import { type PostgresClient, postgresReplay } from '../src/index.js'
import { eventually, unavailable, usePostgres } from './harness.js'

const { server, proxy, direct, proxied, count, pool } = usePostgres()
const TTL = 60_000
const quick = { commandTimeoutMs: 300, namespace: 'quick' }

/** A store that has answered once. */
async function warm(client: PostgresClient, options: object = quick): Promise<ReplayStore> {
  const store = postgresReplay(client, options)
  await eventually(async () => store.claim('warm-up', TTL))
  await pool().query('TRUNCATE countersign_replay')
  return store
}

/** Claims `lost` and misses the deadline; how long that took. */
async function claimInVain(store: ReplayStore): Promise<number> {
  const startedMs = performance.now()
  await expect(store.claim('lost', TTL)).rejects.toMatchObject(unavailable)
  return performance.now() - startedMs
}

/** When the server answers again, the store does too, and what missed its deadline was never done. */
async function expectNoLateEffect(store: ReplayStore): Promise<void> {
  expect(await eventually(async () => store.claim('after', TTL))).toMatch(/fresh|seen/)
  const idle =
    "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%replay_claim%' AND pid <> pg_backend_pid()"
  await eventually(
    async () => (await pool().query(idle)).rows.length,
    (rows) => rows === 0,
  )
  expect(await count('countersign_replay')).toBe(1)
  expect(await store.claim('lost', TTL)).toBe('fresh')
}

describe('[postgres-late-effect] [postgres-deadline] [postgres-recovery]', () => {
  test('a server that is stopped: refused in time, nothing later', async () => {
    const store = await warm(direct())
    server().pause()
    expect(await claimInVain(store)).toBeLessThan(8000)
    server().resume()
    await expectNoLateEffect(store)
  })

  test('a server that is stopped, killed and started again', async () => {
    const store = await warm(direct())
    server().pause()
    await claimInVain(store)
    await server().kill()
    await expect(store.claim('lost', TTL)).rejects.toMatchObject(unavailable)
    await server().restart()
    await expectNoLateEffect(store)
  }, 30_000)

  test('a network that holds everything back and delivers it later', async () => {
    const store = await warm(proxied())
    proxy().hang()
    await claimInVain(store)
    proxy().resume()
    await expectNoLateEffect(store)
  })

  test('a half-open connection, which the pool gives up by its query_timeout', async () => {
    const store = await warm(proxied({ query_timeout: 600 }))
    proxy().halfOpen()
    await claimInVain(store)
    await expectNoLateEffect(store)
  }, 30_000)

  test('a server that is gone and comes back, twice', async () => {
    const store = await warm(direct())
    for (let round = 0; round < 2; round += 1) {
      await server().kill()
      await Promise.all(
        Array.from({ length: 20 }, async () => expect(store.claim('probe', TTL)).rejects.toMatchObject(unavailable)),
      )
      await server().restart()
      expect(await eventually(async () => store.claim(`round-${round}`, TTL))).toBe('fresh')
    }
  }, 30_000)
})

describe('[postgres-probe-rule]', () => {
  test('after a missed deadline nothing is sent but one probe, until it is answered', async () => {
    const store = await warm(proxied({ max: 5 }))
    proxy().hang()
    await claimInVain(store)
    const startedMs = performance.now()
    for (let round = 0; round < 50; round += 1) {
      await expect(store.claim('lost', TTL)).rejects.toMatchObject({
        ...unavailable,
        dependency: 'replay_store',
        message: 'PostgreSQL is unavailable: the server has not answered since a missed deadline',
      })
    }
    // 50 deadlines would be 15 s.
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    proxy().resume()
    await expectNoLateEffect(store)
  })

  test('what one store learns of a client, all stores on it know', async () => {
    const client = proxied()
    const [store, other] = [
      await warm(client),
      postgresReplay(client, { commandTimeoutMs: 60_000, namespace: 'other' }),
    ]
    proxy().hang()
    await claimInVain(store)
    await expect(other.claim('a', TTL)).rejects.toThrow('has not answered since a missed deadline')
    proxy().resume()
  })
})

describe('[postgres-lost-reply]', () => {
  test('a claim whose connection was cut goes again, finds itself, and is fresh', async () => {
    const store = await warm(proxied(), { commandTimeoutMs: 10_000, namespace: 'cut' })
    proxy().hangReplies()
    const claim = store.claim('lost', TTL)
    await eventually(
      () => count('countersign_replay'),
      (rows) => rows === 1,
    )
    proxy().reset()
    proxy().resume()
    expect(await claim).toBe('fresh')
    expect(await store.claim('lost', TTL)).toBe('seen')
  })
})

describe('[postgres-late-reply]', () => {
  test.each(['before', 'after'])(
    'of three concurrent copies of a claim of unknown outcome one is fresh, %s its answer has come',
    async (when) => {
      const store = await warm(proxied(), { commandTimeoutMs: 300, namespace: when })
      proxy().hangReplies()
      await claimInVain(store)
      await eventually(
        () => count('countersign_replay'),
        (rows) => rows === 1,
      )
      if (when === 'before') proxy().reset()
      proxy().resume()
      await eventually(async () => store.claim('open', TTL))
      const outcomes = await Promise.all([1, 2, 3].map(async () => store.claim('lost', TTL)))
      expect(outcomes.sort()).toEqual(['fresh', 'seen', 'seen'])
      // No replay passes in another process either.
      expect(await postgresReplay(direct(), { namespace: when, commandTimeoutMs: 10_000 }).claim('lost', TTL)).toBe(
        'seen',
      )
    },
  )
})
