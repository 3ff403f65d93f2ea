import { postgresSessions } from '@countersign/settings-session/postgres'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../../test/support/postgres-tables.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { peopleOf } from './support/outage-people.js'

let postgres: Awaited<ReturnType<typeof startPostgres>>
let provider: HostileProvider
let app: Harness
let people: ReturnType<typeof peopleOf>
beforeAll(async () => {
  postgres = await startPostgres()
  provider = await startHostileProvider()
  app = await settingsApp({
    store: postgresSessions(postgres.pool, { commandTimeoutMs: 1200 }),
    oauth: provider.oauth,
    firstClaim: 'trust-link',
    realTime: true,
  })
  people = peopleOf(app, provider)
}, 60_000)
afterAll(async () => {
  await app?.close()
  await provider?.close()
  await postgres?.stop()
})

describe('[settings-postgres-outage] a PostgreSQL that is', () => {
  test('hung is 503, and nothing takes effect when it resumes', async () => {
    const all = await people.prepare()
    postgres.server.pause()
    await people.expectAllRefused(all)
    postgres.server.resume()
    await people.expectRecovered(all)
  }, 60_000)

  test('down is 503', async () => {
    const all = await people.prepare()
    await postgres.server.kill()
    await people.expectAllRefused(all)
    await postgres.server.restart()
    await people.expectRecovered(all)
  }, 60_000)

  test('read-only is 503: it must not vouch for sessions that may have been revoked elsewhere', async () => {
    const all = await people.prepare()
    const readOnly = async (value: string) => {
      await postgres.pool.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
      await postgres.pool.query('SELECT pg_reload_conf()')
      for (let shown = ''; shown !== value; ) {
        const { rows } = await postgres.pool.query('SHOW default_transaction_read_only')
        shown = (rows[0] as { default_transaction_read_only: string }).default_transaction_read_only
      }
    }
    await readOnly('on')
    await people.expectAllRefused(all)
    await readOnly('off')
    await people.expectRecovered(all)
  }, 60_000)

  test('restarted under load answers 200 and 503, and nothing else', async () => {
    const { signedIn, userId } = await people.prepare()
    const statuses = new Map<number, number>()
    let isOver = false
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const { status } = await signedIn.send('/settings')
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })
    for (const fault of ['restart', 'pause'] as const) {
      const before = statuses.get(200) ?? 0
      while ((statuses.get(200) ?? 0) < before + 20) await new Promise((resolve) => setTimeout(resolve, 10))
      if (fault === 'restart') await postgres.server.restart()
      else {
        postgres.server.pause()
        const refused = statuses.get(503) ?? 0
        while ((statuses.get(503) ?? 0) < refused + 20) await new Promise((resolve) => setTimeout(resolve, 10))
        postgres.server.resume()
      }
      const after = statuses.get(200) ?? 0
      while ((statuses.get(200) ?? 0) < after + 20) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    isOver = true
    await Promise.all(clients)
    expect([...statuses.keys()].sort()).toEqual([200, 503])
    expect(userId).toMatch(/^outage/)
  }, 60_000)
})
