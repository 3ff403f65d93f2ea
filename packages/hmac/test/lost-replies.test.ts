import { type PostgresSecretStore, postgresSecrets } from '@countersign/hmac/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { LossyProxy } from '../../../test/support/lossy-proxy.js'
import { SECRET } from './harness.js'
import { KEK, usePostgres } from './postgres-harness.js'

const db = usePostgres()

describe('a change in PostgreSQL whose answer is lost', () => {
  let proxy: LossyProxy
  let pool: pg.Pool
  let store: PostgresSecretStore
  let recorder: ReturnType<typeof recordedAudit>
  beforeAll(async () => {
    proxy = new LossyProxy(db.url())
    pool = new pg.Pool({
      connectionString: await proxy.listen(),
      connectionTimeoutMillis: 20_000,
      query_timeout: 20_000,
    })
    pool.on('error', () => undefined)
  })
  afterAll(async () => {
    await pool.end()
    proxy.close()
  })
  beforeEach(async () => {
    recorder = recordedAudit()
    store = postgresSecrets(pool, { keks: KEK, audit: recorder.audit })
    proxy.lost = 0
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
  })
  afterEach(() => {
    proxy.lose = undefined
    proxy.isDown = false
  })

  const told = () =>
    recorder.events
      .filter(({ type }) => !type.startsWith('audit.'))
      .map(({ type, credential }) => `${type} ${credential?.id}`)
  const kept = async () =>
    (await store.versions('a')).map(({ version, isPending, expiresAt, revokedAt }) => [
      version,
      isPending,
      expiresAt !== undefined,
      revokedAt !== undefined,
    ])

  test('is a version that is stored: once, and recorded once', async () => {
    proxy.lose = { text: 'INSERT', times: 2 }
    await store.insert({ caller: 'a', version: 2, secret: `${SECRET}2` })
    expect(proxy.lost).toBe(2)
    expect(told()).toEqual(['hmac.secret.added a/1', 'hmac.secret.added a/2'])
    expect((await store.versions('a'))[0]?.key?.export().toString()).toBe(`${SECRET}2`)
  })

  test('is no version of somebody else', async () => {
    const refusal = { code: 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS' }
    proxy.lose = { text: 'INSERT', times: 1 }
    await expect(store.insert({ caller: 'a', version: 1, secret: SECRET })).rejects.toMatchObject(refusal)
    expect([proxy.lost, told()]).toEqual([1, ['hmac.secret.added a/1']])
  })

  test.each([
    ['the new version', 'INSERT'],
    ['the end of the previous one', 'UPDATE'],
  ])('is a rotation, and the secret is handed over: %s', async (_what, text) => {
    proxy.lose = { text, times: 1 }
    const { version, secret, previous } = await store.rotate('a')
    expect([version, previous, proxy.lost]).toEqual([2, undefined, 1])
    expect((await store.versions('a'))[0]?.key?.export().toString()).toBe(secret)
    expect(await kept()).toEqual([
      [2, false, false, false],
      [1, false, true, false],
    ])
    expect(told()).toEqual(['hmac.secret.added a/1', 'hmac.secret.rotated a/2'])
  })

  test('is a pending version that is put in force', async () => {
    await store.rotate('a', { pending: true })
    proxy.lose = { text: 'is_pending = false', times: 1 }
    expect(await store.rotate('a', { graceSeconds: 0 })).toEqual({ caller: 'a', version: 2, secret: undefined })
    expect(proxy.lost).toBe(1)
    expect(await kept()).toEqual([
      [2, false, false, false],
      [1, false, true, false],
    ])
  })

  test('is a revocation, or an end', async () => {
    proxy.lose = { text: 'UPDATE', times: 1 }
    expect(await store.retire('a', 1, Date.now() + 60_000)).toBe(true)
    proxy.lose = { text: 'UPDATE', times: 1 }
    expect(await store.revoke('a', 1)).toBe(true)
    expect(proxy.lost).toBe(2)
    expect(await kept()).toEqual([[1, false, true, true]])
    expect(told()).toEqual(['hmac.secret.added a/1', 'hmac.secret.retired a/1', 'hmac.secret.revoked a/1'])
  })

  test('is a rotation, though the database is gone then: the previous versions end when it is back', async () => {
    recorder.audit.subscribe(
      () => {
        proxy.isDown = true
        proxy.cut()
      },
      ({ type }) => type === 'hmac.secret.rotated',
    )
    const { version, secret, previous } = await store.rotate('a', { graceSeconds: 0 })
    expect([version, secret?.length, previous]).toEqual([2, 64, 'pending'])
    proxy.isDown = false
    for (;;) {
      const [, first] = await store.versions('a')
      if (first?.expiresAt !== undefined) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await kept()).toEqual([
      [2, false, false, false],
      [1, false, true, false],
    ])
  }, 60_000)

  /** The answer to a statement is lost, and the database is gone until the change has rejected. */
  async function losing(text: string, change: () => unknown): Promise<void> {
    proxy.lose = { text, times: 1 }
    const gone = (async () => {
      while (proxy.lost === 0) await new Promise((resolve) => setImmediate(resolve))
      proxy.isDown = true
      proxy.cut()
    })()
    await expect(change()).rejects.toThrow()
    await gone
    proxy.isDown = false
  }

  const untilTold = async (count: number) => {
    while (told().length < count) await new Promise((resolve) => setTimeout(resolve, 20))
    return told().slice(1)
  }

  test.each<[string, string, string, () => unknown]>([
    [
      'the shared secret that counts',
      'SET accepts_shared',
      'hmac.shared.accepted undefined',
      () => store.acceptShared('a', true),
    ],
    ['a version that is forgotten', 'DELETE', 'hmac.secret.forgotten a/1', () => store.forget('a', 1)],
  ])(
    'is %s, though the database is gone then: it is recorded when that is back',
    async (_what, text, event, change) => {
      await losing(text, change)
      expect(await untilTold(2)).toEqual([event])
    },
    60_000,
  )

  test('is a right that cannot be recorded when the database is back, either: it is undone', async () => {
    recorder.audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
    await losing('DELETE', () => store.forget('a', 1))
    while ((await kept()).length === 0 || told().length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await kept()).toEqual([[1, false, false, false]])
    expect(recorder.events.find(({ type }) => type === 'hmac.secret.forgotten')).toMatchObject({ reason: 'audit_sink' })
  }, 60_000)

  test('is the shared secret that counts: another process that asks for it records it', async () => {
    await losing('SET accepts_shared', () => store.acceptShared('a', true))
    const other = recordedAudit()
    expect(await postgresSecrets(pool, { keks: KEK, audit: other.audit }).acceptShared('a', true)).toBe(true)
    expect(other.events.map(({ type }) => type)).toEqual(['hmac.shared.accepted'])
  }, 60_000)
})

test('an insert none of whose answers comes is done when its row stands', async () => {
  const { audit, events } = recordedAudit()
  const client = {
    async query(text: string, values?: unknown[]) {
      const answer = await db.query(text, values)
      if (text.startsWith('INSERT')) throw new Error('Query read timeout')
      return answer
    },
  }
  const store = postgresSecrets(client, { keks: KEK, audit })
  await store.insert({ caller: 'a', version: 1, secret: SECRET })
  expect((await store.rotate('a')).version).toBe(2)
  expect(events.map(({ type, credential }) => `${type} ${credential?.id}`)).toEqual([
    'hmac.secret.added a/1',
    'hmac.secret.rotated a/2',
  ])
})

test('an insert whose outcome stays unknown rejects, and what it stored is revoked when the database is back', async () => {
  const { audit, events } = recordedAudit()
  let isDown = false
  const client = {
    async query(text: string, values?: unknown[]) {
      if (isDown) throw new Error('down')
      const answer = await db.query(text, values)
      if (!text.startsWith('INSERT')) return answer
      isDown = true
      throw new Error('Connection terminated unexpectedly')
    },
  }
  const store = postgresSecrets(client, { keks: KEK, audit })
  await expect(store.insert({ caller: 'a', version: 1, secret: SECRET })).rejects.toThrow('down')
  isDown = false
  while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(events.map(({ type, credential, attributes }) => [type, credential?.id, attributes?.cause])).toEqual([
    ['hmac.secret.revoked', 'a/1', 'outcome_unknown'],
  ])
  expect((await store.versions('a'))[0]?.revokedAt).toBeDefined()
}, 60_000)

test('what the server refuses is asked once', async () => {
  const client = db.countedClient()
  const refusing = {
    query: (text: string, values?: unknown[]) => client.query(text.replace(/internal_\w+/, 'no_such_table'), values),
  }
  const store = postgresSecrets(refusing, { keks: KEK, audit: recordedAudit().audit })
  await expect(store.insert({ caller: 'a', version: 1, secret: SECRET })).rejects.toMatchObject({ code: '42P01' })
  expect(client.queries).toBe(1)
})

test('what cannot be asked rejects with what the client said', async () => {
  const client = db.countedClient()
  client.isDown = true
  const store = postgresSecrets(client, { keks: KEK, audit: recordedAudit().audit })
  await expect(store.insert({ caller: 'a', version: 1, secret: SECRET })).rejects.toThrow('down')
  await expect(store.revoke('a', 1)).rejects.toThrow('down')
})
