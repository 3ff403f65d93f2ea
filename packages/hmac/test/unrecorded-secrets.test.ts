import type { Audit } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { type HmacSecretStore, isActive } from '@countersign/hmac/store'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import pg from 'pg'
import { serve } from '../../../test/support/http-server.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { endings, requiredAudit, SINK_FAILURES, UNRECORDED } from '../../../test/support/required-audit.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import { AUDIENCE, SECRET, send, signed } from './harness.js'
import { KEK, migration } from './postgres-harness.js'

const SECOND = 'another-secret-of-the-tests-that-is-long'

interface Source {
  readonly name: string
  open(): Promise<void>
  fresh(audit: Audit): Promise<HmacSecretStore>
  close(): Promise<void>
}

function pgliteSource(): Source {
  let db: PGlite
  return {
    name: 'PGlite',
    async open() {
      db = new PGlite()
      await db.exec(migration)
    },
    async fresh(audit) {
      await db.query('DELETE FROM internal_service_hmac_secrets')
      return postgresSecrets(db, { keks: KEK, audit })
    },
    close: () => db.close(),
  }
}

function postgresSource(): Source {
  let server: PostgresServer
  let pool: pg.Pool
  return {
    name: 'PostgreSQL',
    async open() {
      server = await PostgresServer.start()
      pool = new pg.Pool({ connectionString: server.url })
      await pool.query(migration)
    },
    async fresh(audit) {
      await pool.query('DELETE FROM internal_service_hmac_secrets')
      return postgresSecrets(pool, { keks: KEK, audit })
    },
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

const memorySource = (): Source => ({
  name: 'memory',
  open: async () => undefined,
  fresh: async (audit) => memorySecrets([], { audit }),
  close: async () => undefined,
})

describe.each([memorySource(), pgliteSource(), postgresSource()])('in $name', (source) => {
  const { audit, events, recorded, fail } = requiredAudit()
  let store: HmacSecretStore
  beforeAll(() => source.open(), 60_000)
  afterAll(() => source.close())
  beforeEach(async () => {
    fail(undefined)
    store = await source.fresh(audit)
    events.length = 0
    recorded.length = 0
  })

  const insert = async (version: number) => store.insert({ caller: 'a', version, secret: SECRET })
  const rotate = async (options?: Parameters<HmacSecretStore['rotate']>[1]) => store.rotate('a', options)
  const active = async () =>
    (await store.versions('a')).filter((entry) => isActive(entry, Date.now())).map(({ version }) => version)
  const ends = async () => (await store.versions('a')).map(({ version, expiresAt }) => [version, expiresAt])

  test.each(SINK_FAILURES)('a version that a required sink, which %s, did not record verifies nothing', async (how) => {
    fail(how, 'hmac.secret.added')
    await expect(insert(1)).rejects.toMatchObject(UNRECORDED)
    expect(await active()).toEqual([])
    expect(endings(events)).toEqual([
      ['hmac.secret.added', 'error', 'audit_sink'],
      ['hmac.secret.revoked', 'success'],
    ])
    expect(recorded.map(({ credential, attributes }) => [credential?.id, attributes])).toEqual([
      ['a/1', { cause: 'audit_sink' }],
    ])
  })

  test.each(SINK_FAILURES)(
    'a rotation that a required sink, which %s, did not record leaves the versions of before',
    async (how) => {
      await insert(1)
      await rotate({ graceSeconds: 3600 })
      const before = await ends()
      fail(how, 'hmac.secret.rotated')
      for (const graceSeconds of [0, 60]) await expect(rotate({ graceSeconds })).rejects.toMatchObject(UNRECORDED)
      expect(await active()).toEqual([2, 1])
      const after = (await ends()).slice(-2)
      expect(after.map(([version]) => version)).toEqual([2, 1])
      expect(after[0]?.[1]).toBeUndefined()
      // By the database's clock, as it was read.
      expect(Math.abs((after[1]?.[1] ?? 0) - (before[1]?.[1] ?? 0))).toBeLessThan(1000)
      fail(undefined)
      expect((await rotate({ graceSeconds: 0 })).version).toBe(5)
      expect(await active()).toEqual([5])
    },
  )

  test('a pending version that was not recorded as put in force stays pending', async () => {
    await insert(1)
    await rotate({ pending: true })
    fail('rejects')
    await expect(rotate({ graceSeconds: 0 })).rejects.toMatchObject(UNRECORDED)
    expect(await active()).toEqual([2, 1])
    expect((await store.versions('a')).map(({ isPending }) => isPending)).toEqual([true, false])
    fail(undefined)
    expect(await rotate({ graceSeconds: 0 })).toMatchObject({ version: 2, secret: undefined })
    expect(await active()).toEqual([2])
  })

  test('what was revoked, or given another end, while a rotation waited for the audit stays so', async () => {
    for (const version of [1, 2, 3]) await insert(version)
    const releases: ((error: Error) => void)[] = []
    const stop = audit.subscribe(() => new Promise<void>((_resolve, reject) => releases.push(reject)), {
      required: true,
      filter: ({ type }) => type === 'hmac.secret.rotated',
    })
    const rotation = rotate({ graceSeconds: 3600 })
    rotation.catch(() => undefined)
    while (releases.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await store.revoke('a', 1)
    await store.retire('a', 2, Date.now() - 1000)
    releases[0]?.(new Error('the disk is full'))
    await expect(rotation).rejects.toMatchObject(UNRECORDED)
    stop()
    expect(await active()).toEqual([3])
    expect((await ends()).find(([version]) => version === 3)?.[1]).toBeUndefined()
  })

  test('what a later rotation ended stays ended when an earlier one is undone', async () => {
    await insert(1)
    const releases: ((error?: Error) => void)[] = []
    const stop = audit.subscribe(
      () =>
        new Promise<void>((resolve, reject) =>
          releases.push((error) => (error === undefined ? resolve() : reject(error))),
        ),
      { required: true, filter: ({ type }) => type === 'hmac.secret.rotated' },
    )
    const first = rotate({ graceSeconds: 60 })
    first.catch(() => undefined)
    while (releases.length < 1) await new Promise((resolve) => setImmediate(resolve))
    const second = rotate({ graceSeconds: 3600 })
    while (releases.length < 2) await new Promise((resolve) => setImmediate(resolve))
    releases[1]?.()
    expect((await second).version).toBe(3)
    releases[0]?.(new Error('the disk is full'))
    await expect(first).rejects.toMatchObject(UNRECORDED)
    stop()
    expect(await active()).toEqual([3, 1])
    // By the second one: what is not recorded has ended nothing.
    const [, end = 0] = (await ends()).find(([version]) => version === 1) ?? []
    expect(Math.abs(end - Date.now() - 3_600_000)).toBeLessThan(60_000)
  })

  test.each([
    ['the first one fails first', 0],
    ['the second one fails first', 1],
  ])('two rotations at once of which neither is recorded leave the caller its secret: %s', async (_order, first) => {
    await insert(1)
    const failures: ((error: Error) => void)[] = []
    const stop = audit.subscribe(() => new Promise<void>((_resolve, reject) => failures.push(reject)), {
      required: true,
      filter: ({ type }) => type === 'hmac.secret.rotated',
    })
    const rotations: Promise<unknown>[] = []
    for (const count of [1, 2]) {
      const rotation = rotate({ graceSeconds: 0 })
      rotation.catch(() => undefined)
      rotations.push(rotation)
      while (failures.length < count) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const index of [first, 1 - first]) {
      failures[index]?.(new Error('the disk is full'))
      await expect(rotations[index]).rejects.toMatchObject(UNRECORDED)
    }
    stop()
    expect(await active()).toEqual([1])
    expect((await ends()).at(-1)).toEqual([1, undefined])
  })

  test('a rotation that is not recorded leaves the caller its secret where a pending one was recorded since', async () => {
    await insert(1)
    const answers: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
    const stop = audit.subscribe(() => new Promise<void>((resolve, reject) => answers.push({ resolve, reject })), {
      required: true,
      filter: ({ type }) => type === 'hmac.secret.rotated',
    })
    const rotation = rotate({ graceSeconds: 0 })
    rotation.catch(() => undefined)
    while (answers.length < 1) await new Promise((resolve) => setImmediate(resolve))
    const pending = rotate({ pending: true })
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve))
    answers[1]?.resolve()
    expect((await pending).version).toBe(3)
    answers[0]?.reject(new Error('the disk is full'))
    await expect(rotation).rejects.toMatchObject(UNRECORDED)
    stop()
    expect(await active()).toEqual([3, 1])
  })

  test('no former version has an end before the rotation is recorded', async () => {
    await insert(1)
    const seen: unknown[] = []
    const stop = audit.subscribe(async () => void seen.push((await ends()).at(-1)), {
      required: true,
      filter: ({ type }) => type === 'hmac.secret.rotated',
    })
    await rotate({ graceSeconds: 0 })
    stop()
    expect(seen).toEqual([[1, undefined]])
    expect(await active()).toEqual([2])
  })

  test.each(SINK_FAILURES)(
    'what a required sink, which %s, did not record is not forgotten, and ends no refusal of the shared secret',
    async (how) => {
      await insert(1)
      await rotate({ graceSeconds: 3600 })
      const before = (await store.versions('a')).map(({ version, key, isPending }) => [
        version,
        key?.export(),
        isPending,
      ])
      fail(how)
      await expect((async () => store.forget('a'))()).rejects.toMatchObject(UNRECORDED)
      await expect((async () => store.forget('a', 1))()).rejects.toMatchObject(UNRECORDED)
      await expect((async () => store.acceptShared('a', true))()).rejects.toMatchObject(UNRECORDED)
      const after = await store.versions('a')
      expect(after.map(({ version, key, isPending }) => [version, key?.export(), isPending])).toEqual(before)
      expect(after.some(({ acceptsShared }) => acceptsShared)).toBe(false)
      expect(after[1]?.expiresAt).toBeGreaterThan(Date.now() + 3_500_000)
      expect(await store.acceptShared('a', false)).toBe(true)
    },
  )

  test.each(SINK_FAILURES)('versions are revoked and retired while a required sink %s', async (how) => {
    await insert(1)
    await insert(2)
    fail(how)
    expect(await store.revoke('a', 1)).toBe(true)
    expect(await store.retire('a', 2, Date.now() - 1000)).toBe(true)
    expect(await active()).toEqual([])
  })
})

test('a gate refuses what an unrecorded rotation made, and grants what was there before', async () => {
  const { audit, fail } = requiredAudit()
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }], { audit })
  const app = express()
  app.use(requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders()] }), (_request, response) => {
    response.end()
  })
  const { port, close } = await serve(app)
  const post = async (secret: string) =>
    (await send(port, 'POST', '/jobs?a=1', signed({ now: Date.now(), secret }))).status
  fail('throws')
  expect(() => secrets.rotate('scheduler', { secret: SECOND, graceSeconds: 0 })).toThrow(
    expect.objectContaining(UNRECORDED),
  )
  expect([await post(SECOND), await post(SECRET)]).toEqual([401, 200])
  fail(undefined)
  secrets.rotate('scheduler', { secret: SECOND, graceSeconds: 0 })
  expect([await post(SECOND), await post(SECRET)]).toEqual([200, 401])
  await close()
})

test('a rotation that cannot be undone is no success, and the operator is told', async () => {
  const { warnings, stop } = catchWarnings()
  const { audit, events, fail } = requiredAudit()
  const db = new PGlite()
  await db.exec(migration)
  let isDown = false
  const client = {
    query: (text: string, values?: unknown[]) => (isDown ? Promise.reject(new Error('down')) : db.query(text, values)),
  }
  const store = postgresSecrets(client, { keks: KEK, audit })
  await store.insert({ caller: 'a', version: 1, secret: SECRET })
  events.length = 0
  fail('rejects')
  audit.subscribe(
    () => {
      isDown = true
    },
    ({ reason }) => reason === 'audit_sink',
  )
  await expect(store.rotate('a')).rejects.toMatchObject({ ...UNRECORDED, cause: new Error('down') })
  expect(endings(events)).toEqual([
    ['hmac.secret.rotated', 'error', 'audit_sink'],
    ['hmac.secret.rotated', 'error', 'not_undone'],
  ])
  expect(warnings.map(({ code }) => code)).toContain('COUNTERSIGN_CHANGE_NOT_UNDONE')
  stop()
  await db.close()
})
