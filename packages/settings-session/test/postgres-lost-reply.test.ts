import { postgresSessions } from '@countersign/settings-session/postgres'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type pg from 'pg'
import { LossyProxy } from '../../../test/support/lossy-proxy.js'
import { poolOf, startPostgres } from '../../../test/support/postgres-tables.js'
import { storeChanges } from './support/store-changes.js'

const patient = { commandTimeoutMs: 20_000 }
let postgres: Awaited<ReturnType<typeof startPostgres>>
let proxy: LossyProxy
let pool: pg.Pool
let healthy: SettingsStore
let store: SettingsStore
beforeAll(async () => {
  postgres = await startPostgres()
  proxy = new LossyProxy(postgres.server.url)
  pool = poolOf(await proxy.listen(), { max: 2 })
  healthy = postgresSessions(postgres.pool, patient)
  store = postgresSessions(pool, patient)
}, 60_000)
afterAll(async () => {
  await pool.end()
  proxy.close()
  await postgres.stop()
})

describe('[settings-postgres-lost-reply] made once, and its outcome told, when the answer is lost with the connection:', () => {
  test.each(storeChanges.map((change) => [change.title, change] as const))('%s', async (_title, change) => {
    const make = await change.prepare(healthy)
    const before = proxy.lost
    // What every change takes, and no read.
    proxy.lose = { text: '$4::jsonb', times: 1 }
    expect(await make(store)).toBe(change.outcome)
    expect(proxy.lost).toBe(before + 1)
  })
})
