import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import pg from 'pg'
import { KEK } from './postgres-harness.js'

let warn: jest.SpiedFunction<typeof process.emitWarning>
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})
afterEach(() => warn.mockRestore())

const codes = () => warn.mock.calls.map(([, options]) => (options as { code?: string }).code)

test('[hmac-pool-advice] a pool that can hang is named once, with the settings to change', async () => {
  const pool = new pg.Pool({ connectionString: 'postgres://127.0.0.1/a' })
  postgresSecrets(pool, { keks: KEK })
  postgresSecrets(pool, { keks: KEK })
  expect(codes()).toEqual(['COUNTERSIGN_POSTGRES_NO_CONNECTION_TIMEOUT', 'COUNTERSIGN_POSTGRES_NO_QUERY_TIMEOUT'])
  await pool.end()
})

test.each([
  [{ connectionTimeoutMillis: 1000, query_timeout: 5000 }],
  [{ connectionTimeoutMillis: 1000, connectionString: 'postgres://127.0.0.1/a?query_timeout=5000' }],
])(
  '[hmac-pool-advice] a pool with %j does not hang on a server that says nothing, and no advice is given',
  async (settings) => {
    const sockets: Socket[] = []
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const pool = new pg.Pool({ host: '127.0.0.1', port: (server.address() as { port: number }).port, ...settings })
    expect(codes()).toEqual([])
    const store = postgresSecrets(pool, { keks: KEK })
    expect(codes()).toEqual([])
    if (!('connectionString' in settings)) await expect(store.versions('a')).rejects.toThrow('timeout')
    await pool.end()
    for (const socket of sockets) socket.destroy()
    server.close()
  },
)

test('[hmac-pool-advice] what is not a pool of pg is left alone', () => {
  postgresSecrets({ query: async () => ({ rows: [] }) }, { keks: KEK })
  expect(codes()).toEqual([])
})
