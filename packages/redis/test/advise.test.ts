import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'
import { adviseOnConnection, type RedisClient } from '../src/index.js'
import { client, client5, clusterClient, disconnectAll } from './harness.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start('--appendonly', 'yes', '--maxmemory-policy', 'noeviction')
})
afterAll(() => server.stop())

let warn: jest.SpiedFunction<typeof process.emitWarning>
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})
afterEach(async () => {
  warn.mockRestore()
  disconnectAll()
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  await server.command('CONFIG', 'SET', 'appendonly', 'yes')
})

const good = { commandTimeout: 20_000, socketTimeout: 5000, maxRetriesPerRequest: 3 }
const codes = async (redis: RedisClient) => (await adviseOnConnection(redis)).map(({ code }) => code)

describe('advice', () => {
  test('[redis-advice] is empty for a client and a server that are configured well', async () => {
    for (const make of [client, client5]) expect(await adviseOnConnection(make(server.url, good))).toEqual([])
    expect(warn).not.toHaveBeenCalled()
  })

  test.each(['allkeys-lru', 'volatile-ttl', 'allkeys-random', 'volatile-lfu'])(
    '[redis-advice] COUNTERSIGN_REDIS_EVICTS: the policy %s drops live credentials',
    async (policy) => {
      await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
      const advice = await adviseOnConnection(client(server.url, good))
      expect(advice).toEqual([
        {
          code: 'COUNTERSIGN_REDIS_EVICTS',
          setting: 'maxmemory-policy',
          value: policy,
          danger: 'under memory pressure Redis drops live credentials, sessions, identity bindings and replay claims',
          remedy: 'Set maxmemory-policy to noeviction: CONFIG SET maxmemory-policy noeviction, and in redis.conf.',
        },
      ])
      expect(warn.mock.calls).toEqual([
        [
          `Redis: maxmemory-policy is ${policy}: under memory pressure Redis drops live credentials, sessions, identity bindings and replay claims. See https://countersign.example/errors/COUNTERSIGN_REDIS_EVICTS`,
          {
            code: 'COUNTERSIGN_REDIS_EVICTS',
            detail: 'Set maxmemory-policy to noeviction: CONFIG SET maxmemory-policy noeviction, and in redis.conf.',
          },
        ],
      ])
    },
  )

  test('[redis-advice] COUNTERSIGN_REDIS_NO_AOF: a restart brings back what was revoked', async () => {
    await server.command('CONFIG', 'SET', 'appendonly', 'no')
    for (const make of [client, client5])
      expect(await codes(make(server.url, good))).toEqual(['COUNTERSIGN_REDIS_NO_AOF'])
  })

  test.each([
    ['COUNTERSIGN_REDIS_RETRIES_WITHOUT_END', { maxRetriesPerRequest: null }],
    ['COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT', { commandTimeout: undefined }],
    ['COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT', { socketTimeout: undefined }],
    ['COUNTERSIGN_REDIS_GIVES_UP', { retryStrategy: null }],
    ['COUNTERSIGN_REDIS_RECONNECTS_ON_ERROR', { reconnectOnError: () => 2 }],
    ['COUNTERSIGN_REDIS_RECONNECTS_ON_ERROR', { reconnectOnError: (error: Error) => error.message.startsWith('OOM') }],
    ['COUNTERSIGN_REDIS_KEY_PREFIX', { keyPrefix: 'app:' }],
    ['COUNTERSIGN_REDIS_AUTO_PIPELINING', { enableAutoPipelining: true }],
  ])('[redis-advice] %s: about the options of the client', async (code, options) => {
    for (const make of [client, client5]) expect(await codes(make(server.url, { ...good, ...options }))).toEqual([code])
  })

  test('[redis-advice] says nothing of a client that reconnects when the server is READONLY alone', async () => {
    const reconnectOnError = (error: Error) => error.message.includes('READONLY')
    for (const make of [client, client5])
      expect(await codes(make(server.url, { ...good, reconnectOnError }))).toEqual([])
  })

  test("[redis-advice] names a cluster's own options, and those of its nodes", async () => {
    const { nodes, stop } = await startRedisCluster()
    try {
      const options = { keyPrefix: 'app:', enableAutoPipelining: true, clusterRetryStrategy: null, redisOptions: {} }
      const ports = nodes.map(({ port }) => port)
      expect(await codes(clusterClient(ports, options))).toEqual([
        'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT',
        'COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT',
        'COUNTERSIGN_REDIS_GIVES_UP',
        'COUNTERSIGN_REDIS_KEY_PREFIX',
        'COUNTERSIGN_REDIS_AUTO_PIPELINING',
        'COUNTERSIGN_REDIS_NO_AOF',
      ])
    } finally {
      await stop()
    }
  }, 60_000)

  test('[redis-advice] COUNTERSIGN_REDIS_UNREACHABLE: a server that is gone, or that does not answer', async () => {
    const gone = await adviseOnConnection(client('redis://127.0.0.1:1', { ...good, maxRetriesPerRequest: 0 }))
    expect(gone.map(({ code, value }) => [code, value])).toEqual([
      ['COUNTERSIGN_REDIS_UNREACHABLE', expect.stringMatching(/^unreachable \(.+\)$/)],
    ])
    const silent = client(server.url, { ...good, commandTimeout: 60_000, socketTimeout: 60_000 })
    await silent.ping()
    server.pause()
    expect(await codes(silent)).toEqual(['COUNTERSIGN_REDIS_UNREACHABLE'])
    server.resume()
  })

  test('[redis-advice] COUNTERSIGN_REDIS_CONFIG_HIDDEN: a server that does not tell its settings', async () => {
    await server.command('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-config')
    const url = `redis://limited:secret@127.0.0.1:${server.port}`
    expect(await codes(client(url, good))).toEqual(['COUNTERSIGN_REDIS_CONFIG_HIDDEN'])
    const renamed = await RedisServer.start('--rename-command', 'CONFIG', '')
    expect(await codes(client(renamed.url, good))).toEqual(['COUNTERSIGN_REDIS_CONFIG_HIDDEN'])
    await renamed.stop()
  })

  test('[redis-advice] warns once for each, by name, with the remedy', async () => {
    const redis = client(server.url)
    const advice = await adviseOnConnection(redis)
    expect(await adviseOnConnection(redis)).toEqual(advice)
    expect(warn.mock.calls).toMatchObject([
      [
        expect.any(String),
        {
          code: 'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT',
          detail: 'Set commandTimeout on the client, for example to 1000.',
        },
      ],
      [expect.any(String), { code: 'COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT' }],
    ])
  })

  test('[redis-advice] [redis-cluster] asks every master of a cluster: one of them is enough to lose data', async () => {
    const { nodes, stop } = await startRedisCluster()
    try {
      for (const node of nodes) await node.command('CONFIG', 'SET', 'appendonly', 'yes')
      const made = () =>
        clusterClient(
          nodes.map(({ port }) => port),
          { redisOptions: good },
        )
      expect(await codes(made())).toEqual([])
      await nodes[2]?.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
      await nodes[1]?.command('CONFIG', 'SET', 'appendonly', 'no')
      expect(await codes(made())).toEqual(['COUNTERSIGN_REDIS_EVICTS', 'COUNTERSIGN_REDIS_NO_AOF'])
    } finally {
      await stop()
    }
  }, 60_000)

  test('[redis-options] on what is not a client is a mistake of the programmer', async () => {
    await expect(adviseOnConnection({} as never)).rejects.toMatchObject({
      name: 'OptionError',
      code: 'ERR_COUNTERSIGN_OPTION_INVALID',
    })
  })
})
