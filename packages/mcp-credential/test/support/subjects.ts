import { memoryCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import type { PostgresClient } from '@countersign/postgres'
import { Cluster, Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { fakeClock } from '../../../../test/support/fake-clock.js'
import { startPglite, startPostgres } from '../../../../test/support/postgres-tables.js'
import { clientKinds } from '../../../../test/support/redis-clients.js'
import { RedisServer } from '../../../../test/support/redis-server.js'
import { sharedCluster, sharedServer } from '../../../../test/support/shared-redis.js'
import { emptyPostgres, passInPostgres, recordsInPostgres } from './postgres-time.js'
import { countRecords, emptyRedis, keysWithoutTtl, mastersOf, passInRedis } from './redis-time.js'

/** A store under test, whose time the test moves. */
export interface Subject {
  readonly store: McpCredentialStore
  /** Lets time pass while the process runs. */
  pass(ms: number): Promise<void>
  /** Lets time pass while the process sleeps. */
  sleep(ms: number): Promise<void>
  /** A second process on the same state, or undefined when there can be none. */
  other(): McpCredentialStore | undefined
  /** Waits until nothing is under way beside what was asked. */
  settle(): Promise<void>
  /** Credentials that are stored, dead ones included. */
  records(): Promise<number>
  /** Keys that would stay for ever. */
  leftovers(): Promise<readonly string[]>
}

export interface SubjectSource {
  readonly name: string
  open(): Promise<void>
  /** Empty. */
  fresh(options?: { readonly maxPerThread?: number }): Promise<Subject>
  close(): Promise<void>
}

export function memorySource(): SubjectSource {
  const opened: { close(): void }[] = []
  return {
    name: 'memory',
    open: async () => undefined,
    async fresh(options = {}) {
      const clock = fakeClock()
      const store = memoryCredentials({ clock, ...options })
      opened.push({ close: () => void store.close?.() })
      return {
        store,
        async pass(ms) {
          for (let left = ms; left > 0; left -= 15_000) {
            clock.advance(Math.min(left, 15_000))
            store.tick()
          }
        },
        async sleep(ms) {
          clock.advance(ms)
          store.tick()
        },
        other: () => undefined,
        settle: async () => undefined,
        records: async () => store.held(),
        leftovers: async () => [],
      }
    },
    async close() {
      for (const one of opened) one.close()
    },
  }
}

const quiet = { commandTimeout: 20_000, maxRetriesPerRequest: 1 }
const patient = { commandTimeoutMs: 10_000 }

function sourceOf(
  name: string,
  start: () => Promise<{ redis: Redis | Cluster; admin?: Redis | Cluster; stop(): Promise<void> }>,
): SubjectSource {
  let running: Awaited<ReturnType<typeof start>> | undefined
  return {
    name,
    async open() {
      running = await start()
    },
    async fresh(options = {}) {
      const { redis, admin = redis } = running as NonNullable<typeof running>
      await emptyRedis(admin)
      const pass = (ms: number) => passInRedis(admin, ms)
      return {
        store: redisCredentials(redis, { ...patient, ...options }),
        pass,
        sleep: pass,
        other: () => redisCredentials(redis, { ...patient, ...options }),
        // Commands of a client are answered in their order.
        settle: async () => void (await Promise.all(mastersOf(redis).map((node) => node.ping()))),
        records: () => countRecords(admin),
        leftovers: () => keysWithoutTtl(admin),
      }
    },
    async close() {
      await running?.stop()
    },
  }
}

export function redisSource(): SubjectSource {
  return sourceOf('Redis', async () => {
    const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'no')
    const redis = new Redis(server.url, quiet)
    return {
      redis,
      async stop() {
        redis.disconnect()
        await server.stop()
      },
    }
  })
}

/** Redis through each kind of client. */
export function clientSources(): readonly SubjectSource[] {
  return clientKinds({ ioredis: { Redis, Cluster }, iovalkey }).map((kind) =>
    sourceOf(kind.name, async () => {
      const nodes = await (kind.isCluster ? sharedCluster() : sharedServer())
      const redis = await kind.connect(nodes)
      const admin = kind.isCluster
        ? new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
        : new Redis((nodes[0] as RedisServer).url)
      return {
        redis,
        admin,
        async stop() {
          redis.disconnect()
          admin.disconnect()
        },
      }
    }),
  )
}

export function clusterSource(): SubjectSource {
  return sourceOf('Redis Cluster', async () => {
    const nodes = (await sharedCluster()).map(({ port }) => ({ host: '127.0.0.1', port }))
    const redis = new Cluster(nodes, { redisOptions: { commandTimeout: 20_000 } })
    return {
      redis,
      async stop() {
        redis.disconnect()
      },
    }
  })
}

function postgresSourceOf(
  name: string,
  start: () => Promise<{ client: PostgresClient; stop(): Promise<void> }>,
): SubjectSource {
  let running: Awaited<ReturnType<typeof start>> | undefined
  return {
    name,
    async open() {
      running = await start()
    },
    async fresh(options = {}) {
      const { client } = running as NonNullable<typeof running>
      await emptyPostgres(client)
      const pass = (ms: number) => passInPostgres(client, ms)
      return {
        store: postgresCredentials(client, { ...patient, ...options }),
        pass,
        sleep: pass,
        other: () => postgresCredentials(client, { ...patient, ...options }),
        settle: async () => undefined,
        records: () => recordsInPostgres(client),
        leftovers: async () => [],
      }
    },
    async close() {
      await running?.stop()
    },
  }
}

export function postgresSource(): SubjectSource {
  return postgresSourceOf('PostgreSQL', async () => {
    const { pool, stop } = await startPostgres()
    return { client: pool, stop }
  })
}

export function pgliteSource(): SubjectSource {
  return postgresSourceOf('PGlite', async () => {
    const client = await startPglite()
    return { client, stop: () => client.close() }
  })
}
