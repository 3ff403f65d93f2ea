import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { migrations, startPglite } from '../../../test/support/postgres-tables.js'
import { replayContract } from '../../../test/support/replay-contract.js'
import { type PostgresClient, postgresReplay, postgresUsage } from '../src/index.js'
import { createRunner } from '../src/store.js'
import { eventually, unavailable, usePostgres } from './harness.js'

const { pool, direct, proxied, proxy, count } = usePostgres()
let pglite: PGlite
beforeAll(async () => {
  pglite = await startPglite()
}, 60_000)
afterAll(() => pglite.close())

const patient = { commandTimeoutMs: 10_000 }
const TTL = 60_000

describe('the PostgreSQL replay store', () => {
  describe('on a pool of pg', () => {
    test.each(replayContract(() => postgresReplay(pool(), patient)))('[postgres-replay-contract] $title', ({ run }) =>
      run(),
    )
  })

  describe('on PGlite', () => {
    test.each(replayContract(() => postgresReplay(pglite, patient)))('[postgres-replay-contract] $title', ({ run }) =>
      run(),
    )
  })

  describe('behind a slow network', () => {
    test.each(
      replayContract(() => {
        proxy().delay(5)
        return postgresReplay(proxied(), patient)
      }),
    )('[postgres-replay-contract] $title', ({ run }) => run())
  })

  test('[postgres-one-statement] is one statement a claim', async () => {
    const texts: string[] = []
    const client: PostgresClient = {
      query(text, values) {
        texts.push(text)
        return pool().query(text, values)
      },
    }
    const store = postgresReplay(client, patient)
    await store.claim('warm-up', TTL)
    texts.length = 0
    await Promise.all(Array.from({ length: 20 }, async (_, index) => store.claim(`counted-${index}`, TTL)))
    expect(texts).toHaveLength(20)
    expect(new Set(texts).size).toBe(1)
  })

  test('keeps no nonce, only its hash, and for its time, rounded up', async () => {
    await postgresReplay(pool(), { ...patient, namespace: 'mine' }).claim('a nonce', 59_999.2)
    const { rows } = await pool().query(
      "SELECT encode(key, 'hex') AS key, (gone_at - countersign_now())::int AS left FROM countersign_replay WHERE namespace = 'mine'",
    )
    expect(rows).toHaveLength(1)
    const [{ key, left }] = rows as [{ key: string; left: number }]
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    expect(left).toBeGreaterThan(40_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  test('shares its claims with other pools of one namespace, and with no other namespace or schema', async () => {
    await pool().query('CREATE SCHEMA auth')
    await pool().query(
      migrations
        .replace(/\bcountersign_\w+/g, '"auth".$&')
        .replace(/INDEX IF NOT EXISTS "auth"\./g, 'INDEX IF NOT EXISTS '),
    )
    const [a, b] = [postgresReplay(pool(), patient), postgresReplay(direct(), patient)]
    expect([await a.claim('shared', TTL), await b.claim('shared', TTL)]).toEqual(['fresh', 'seen'])
    expect(await postgresReplay(pool(), { ...patient, namespace: 'other' }).claim('shared', TTL)).toBe('fresh')
    const elsewhere = postgresReplay(pool(), { ...patient, schema: 'auth' })
    expect([await elsewhere.claim('shared', TTL), await elsewhere.claim('shared', TTL)]).toEqual(['fresh', 'seen'])
  })

  test('[postgres-sweep] deletes what has expired in small batches, and nothing else', async () => {
    await pool().query('TRUNCATE countersign_replay')
    await pool().query(
      `INSERT INTO countersign_replay SELECT 'old', sha256(n::text::bytea), 'a', CASE WHEN n <= 2500 THEN 1 ELSE 9e15::bigint END
       FROM generate_series(1, 2600) AS n`,
    )
    const batches: number[] = []
    for (let swept = 1; swept > 0; ) {
      const { rows } = await pool().query('SELECT countersign_replay_sweep(1000) AS swept')
      swept = (rows[0] as { swept: number }).swept
      batches.push(swept)
    }
    expect(batches).toEqual([1000, 1000, 500, 0])
    expect(await count('countersign_replay')).toBe(100)
  })

  test('[postgres-sweep] is swept by the calls that come anyway', async () => {
    await pool().query(
      "INSERT INTO countersign_replay SELECT 'old', sha256(n::text::bytea), 'a', 1 FROM generate_series(1, 2500) AS n ON CONFLICT (namespace, key) DO UPDATE SET gone_at = 1",
    )
    const store = postgresReplay(direct(), patient)
    const left = await eventually(
      async () => {
        await store.claim('now', TTL)
        const { rows } = await pool().query("SELECT 1 FROM countersign_replay WHERE namespace = 'old' AND gone_at = 1")
        return rows.length
      },
      (rows) => rows === 0,
    )
    expect(left).toBe(0)
  }, 60_000)

  test('[postgres-sweep] a table that may not be swept keeps no other from it', async () => {
    await pool().query(`
      CREATE ROLE sweeper;
      GRANT INSERT, SELECT, UPDATE ON countersign_replay TO sweeper;
      GRANT SELECT, UPDATE, DELETE ON countersign_answers TO sweeper;
      INSERT INTO countersign_answers VALUES ('long gone', 'true', 1)`)
    const client = direct({ options: '-c role=sweeper' })
    const store = postgresReplay(client, patient)
    createRunner(client, 'another', 'store', 'countersign_answers_sweep')
    const left = await eventually(
      async () => {
        await store.claim('now', TTL)
        return count('countersign_answers')
      },
      (rows) => rows === 0,
    )
    expect(left).toBe(0)
  }, 60_000)

  test('[postgres-types] works where the app has told pg to leave numbers as texts', async () => {
    const client = direct({ types: { getTypeParser: () => (value: string) => value } as never })
    const store = postgresReplay(client, { ...patient, namespace: 'texts' })
    expect([await store.claim('a', TTL), await store.claim('a', TTL)]).toEqual(['fresh', 'seen'])
    const usage = postgresUsage(client, { name: 'texts' })
    const use = { caller: 'c', accepted: 2, refused: 1, lastSeenAt: 1_700_000_000_000 }
    await usage.add([use])
    expect(await usage.read()).toEqual([use])
  })

  test('[postgres-not-migrated] without its tables it is unavailable, and says what to run', async () => {
    const store = postgresReplay(pool(), { ...patient, schema: 'nowhere' })
    await expect(store.claim('a', TTL)).rejects.toMatchObject({
      ...unavailable,
      dependency: 'replay_store',
      message: expect.stringMatching(/^PostgreSQL is unavailable: .*Run "countersign migrate"$/),
    })
  })

  test('[postgres-read-only] a server that takes no writes is unavailable', async () => {
    const store = postgresReplay(direct({ options: '-c default_transaction_read_only=on' }), patient)
    await expect(store.claim('a', TTL)).rejects.toMatchObject({
      ...unavailable,
      message: 'PostgreSQL is unavailable: the server takes no writes',
    })
  })

  test('[postgres-read-only] a server that takes no writes is not ready', async () => {
    const client = direct({ options: '-c default_transaction_read_only=on' })
    await expect(createRunner(client, 'a', 'store', 'countersign_replay_sweep').ready()).rejects.toMatchObject({
      ...unavailable,
      message: 'PostgreSQL is unavailable: the server takes no writes',
    })
  })

  test.each([
    [{ namespac: 'a' }, 'Did you mean "namespace"?'],
    [{ namespace: 'a b' }, 'option "namespace" must be 1 to 64 of the characters'],
    [{ schema: 'a"b' }, 'option "schema" must be a name of letters'],
    [{ commandTimeoutMs: 0 }, 'option "commandTimeoutMs" must be an integer from 1 to 60000'],
  ])('[postgres-options] refuses the options %j at creation', (options, message) => {
    expect(() => postgresReplay(pool(), options as object)).toThrow(message)
  })

  test.each([[undefined], ['postgres://u:secret@localhost'], [{ namespace: 'cs' }]])(
    '[postgres-options] refuses %j in the place of a client, and does not show it',
    (value) => {
      let message = ''
      try {
        postgresReplay(value as never)
      } catch (error) {
        message = String(error)
      }
      expect(message).toContain('a client with query(text, values)')
      expect(message).not.toContain('secret@')
    },
  )
})
