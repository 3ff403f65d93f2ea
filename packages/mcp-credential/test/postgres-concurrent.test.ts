import { createMcpCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { poolOf, startPostgres } from '../../../test/support/postgres-tables.js'

type Credentials = ReturnType<typeof createMcpCredentials>

let postgres: Awaited<ReturnType<typeof startPostgres>>
let credentials: Credentials
beforeAll(async () => {
  postgres = await startPostgres()
  credentials = on(postgres.pool)
}, 60_000)
afterAll(() => postgres.stop())

const on = (client: pg.Pool | pg.PoolClient): Credentials => {
  const { audit } = recordedAudit()
  return createMcpCredentials({ store: postgresCredentials(client, { commandTimeoutMs: 20_000 }), audit })
}

/** Whether a call waits for another one's lock. */
async function isAnyoneWaiting(): Promise<boolean> {
  const { rows } = await postgres.pool.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
  return rows.length > 0
}

/** Does `work` while what `slow` did is not committed: until it waits for that, or is done. */
async function beforeCommitOf<T>(slow: (store: Credentials) => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  const client = await postgres.pool.connect()
  try {
    await client.query('BEGIN')
    await slow(on(client))
    let isDone = false
    const result = work().finally(() => {
      isDone = true
    })
    result.catch(() => undefined)
    while (!isDone && !(await isAnyoneWaiting())) await new Promise((resolve) => setTimeout(resolve, 10))
    await client.query('COMMIT')
    return await result
  } finally {
    client.release()
  }
}

test.each([
  ['a provider', (store: Credentials) => store.revokeProvider('leaky')],
  ['everything', (store: Credentials) => store.revokeAll()],
])(
  '[mcp-postgres-race] a token that is carried while %s is revoked is revoked',
  async (_, revoke) => {
    const agent = { threadId: 'carried', providerInstanceId: 'leaky' }
    const first = await credentials.issue(agent)
    await beforeCommitOf(revoke, () => credentials.issue({ ...agent, onExisting: 'carry' }))
    expect((await credentials.resolve(first.token)).standing).toBe('revoked')
  },
  30_000,
)

test.each(['repeatable read', 'serializable'])(
  '[mcp-postgres-isolation] where %s is the default, nothing is decided on what was so before a wait',
  async (isolation) => {
    const threadId = `retired while ${isolation}`
    await credentials.issue({ threadId, providerInstanceId: 'p' })
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const pool = poolOf(postgres.server.url, { options })
    try {
      const issue = beforeCommitOf(
        (store) => store.retire(threadId),
        () => on(pool).issue({ threadId, providerInstanceId: 'p' }),
      )
      await expect(issue).rejects.toMatchObject({
        code: 'ERR_COUNTERSIGN_UNAVAILABLE',
        message: expect.stringContaining(`transactions are ${isolation}`),
      })
    } finally {
      await pool.end()
    }
  },
  30_000,
)

test('[mcp-postgres-sweep] a sweep looks at a part of the ends that are old, and keeps what is needed', async () => {
  await postgres.pool.query('TRUNCATE countersign_mcp_credentials, countersign_mcp_ends')
  // Old ends of 250 threads; the first 100 threads have a credential from before.
  await postgres.pool.query(`
    INSERT INTO countersign_mcp_ends SELECT 'cs', 't' || n, 2, n FROM generate_series(10000000001, 10000000250) AS n;
    INSERT INTO countersign_mcp_credentials (namespace, id, digest, subject, generation, issued_at, expires_at, idle_at, gone_at)
    SELECT 'cs', rpad(n::text, 40, '0'), 'd', '[]', 1, 1, 9e15, 9e15, 9e15 FROM generate_series(10000000001, 10000000100) AS n`)
  const swept: unknown[] = []
  for (let sweeps = 0; sweeps < 3; sweeps += 1) {
    await postgres.pool.query('SELECT countersign_mcp_sweep(100)')
    const counts = 'count(*)::int AS ends, (count(*) FILTER (WHERE kept_from < 1e12))::int AS due'
    swept.push((await postgres.pool.query(`SELECT ${counts} FROM countersign_mcp_ends`)).rows[0])
  }
  expect(swept).toEqual([
    { ends: 250, due: 150 },
    { ends: 150, due: 50 },
    { ends: 100, due: 0 },
  ])
})

test('[mcp-postgres-durable] an acknowledged revocation survives a crash where synchronous_commit is off', async () => {
  const client = poolOf(postgres.server.url, { options: '-c synchronous_commit=off' })
  try {
    // Else the server may write by itself what it has not been waited for.
    await postgres.pool.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    await postgres.pool.query('SELECT pg_reload_conf()')
    const [one, two] = [
      await credentials.issue({ threadId: 'one', providerInstanceId: 'p' }),
      await credentials.issue({ threadId: 'two', providerInstanceId: 'p' }),
    ]
    const hasty = on(client)
    await Promise.all([hasty.revoke(one.credentialId), hasty.revokeThread('two')])
    await postgres.server.restart()
    const standings = [one, two].map(async ({ token }) => (await credentials.resolve(token)).standing)
    expect(await Promise.all(standings)).toEqual(['revoked', 'revoked'])
  } finally {
    await client.end()
  }
}, 60_000)
