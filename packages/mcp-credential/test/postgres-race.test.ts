import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startPostgres } from '../../../test/support/postgres-tables.js'
import { race } from './support/race.js'

let postgres: Awaited<ReturnType<typeof startPostgres>>
beforeAll(async () => {
  postgres = await startPostgres()
}, 60_000)
afterAll(() => postgres.stop())

const untilIssued = async (issued: () => number, more: number) => {
  const from = issued()
  while (issued() < from + more) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('[mcp-postgres-race] while processes issue, use and revoke and the server is stopped and restarted, nothing revoked gets in', async () => {
  const { server } = postgres
  const result = await race({
    postgres: server.url,
    processes: 3,
    threads: 50,
    milliseconds: 3000,
    async meanwhile(issued) {
      await untilIssued(issued, 10)
      server.pause()
      await new Promise((resolve) => setTimeout(resolve, 2500))
      server.resume()
      await untilIssued(issued, 10)
      await server.restart()
      await untilIssued(issued, 10)
    },
  })
  const { violations, withoutTtl: _, ...figures } = result
  expect(violations).toEqual([])
  expect(figures.revocations).toBeGreaterThan(20)
  expect(figures.granted).toBeGreaterThan(200)
  expect(figures.unavailable).toBeGreaterThan(0)
}, 120_000)
