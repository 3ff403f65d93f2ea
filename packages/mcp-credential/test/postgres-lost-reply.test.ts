import { createMcpCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { LossyProxy } from '../../../test/support/lossy-proxy.js'
import { poolOf, startPostgres } from '../../../test/support/postgres-tables.js'

let postgres: Awaited<ReturnType<typeof startPostgres>>
let proxy: LossyProxy
let pool: pg.Pool
let credentials: ReturnType<typeof createMcpCredentials>
let healthy: ReturnType<typeof createMcpCredentials>
beforeAll(async () => {
  postgres = await startPostgres()
  proxy = new LossyProxy(postgres.server.url)
  pool = poolOf(await proxy.listen(), { max: 2 })
  const { audit } = recordedAudit()
  healthy = createMcpCredentials({ store: postgresCredentials(postgres.pool, { commandTimeoutMs: 20_000 }), audit })
  credentials = createMcpCredentials({ store: postgresCredentials(pool, { commandTimeoutMs: 5000 }), audit })
}, 60_000)
beforeEach(() => {
  proxy.isDown = false
  proxy.lose = undefined
})
afterAll(async () => {
  await pool.end()
  proxy.close()
  await postgres.stop()
})

let threads = 0
const agent = () => ({ threadId: `t${threads++}`, providerInstanceId: 'p' })
const standingOf = async (token: string) => (await healthy.resolve(token)).standing

/** What is done, while the answer of its statement is lost with the connection. */
async function losing<T>(text: string, work: () => Promise<T>): Promise<T> {
  const before = proxy.lost
  proxy.lose = { text, times: 1 }
  const result = await work()
  expect(proxy.lost).toBe(before + 1)
  return result
}

test.each(['countersign_mcp_issue', 'countersign_mcp_confirm'])(
  '[mcp-postgres-lost-reply] an issue whose answer of %s was lost is made once, and takes the place of the one before',
  async (step) => {
    const options = agent()
    const first = await healthy.issue(options)
    const second = await losing(step, () => credentials.issue(options))
    expect([await standingOf(first.token), await standingOf(second.token)]).toEqual(['superseded', 'live'])
    expect((await healthy.list({ threadId: options.threadId })).credentials).toHaveLength(1)
  },
)

test('[mcp-postgres-lost-reply] a revocation whose answer was lost says what it did', async () => {
  const [one, two, three] = [await healthy.issue(agent()), await healthy.issue(agent()), await healthy.issue(agent())]
  expect(await losing('countersign_mcp_revoke', () => credentials.revoke(one.credentialId))).toBe(true)
  expect(await losing('countersign_mcp_revoke_scope', () => credentials.revokeThread(two.threadId))).toBe(true)
  await losing('countersign_mcp_revoke_scope', () => credentials.retire(three.threadId))
  for (const { token } of [one, two, three]) expect(await standingOf(token)).toBe('revoked')
  await expect(healthy.issue({ threadId: three.threadId, providerInstanceId: 'p' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
  })
})

test('[mcp-postgres-lost-reply] a second step that nobody can ask about cuts no holder off, and is made when it is known', async () => {
  const options = agent()
  const first = await healthy.issue(options)
  proxy.lose = { text: 'countersign_mcp_confirm', times: 100 }
  const impatient = postgresCredentials(pool, { commandTimeoutMs: 300 })
  const { audit } = recordedAudit()
  const second = await createMcpCredentials({ store: impatient, audit }).issue(options)
  // Known as usable whatever became of the other one.
  expect(await standingOf(second.token)).toBe('live')
  proxy.lose = undefined
  for (let standing = ''; standing !== 'superseded'; standing = await standingOf(first.token)) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await standingOf(second.token)).toBe('live')
}, 60_000)
