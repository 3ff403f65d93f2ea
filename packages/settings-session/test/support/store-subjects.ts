import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FileStores, fileStores } from '@countersign/core/file'
import { memorySessions } from '@countersign/settings-session'
import { fileSessions } from '@countersign/settings-session/file'
import { postgresSessions } from '@countersign/settings-session/postgres'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { Cluster, Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { fakeClock } from '../../../../test/support/fake-clock.js'
import { startPglite, startPostgres } from '../../../../test/support/postgres-tables.js'
import { type ClientKind, clientKinds } from '../../../../test/support/redis-clients.js'
import { RedisServer } from '../../../../test/support/redis-server.js'
import { sharedCluster, sharedServer } from '../../../../test/support/shared-redis.js'

/** A store under test, and the passing of its time. */
export interface StoreSubject {
  readonly store: SettingsStore
  /** Lets time pass on the store's clock. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
  /** Calls that are made at once may be done in any order: they go by several connections. */
  readonly isUnordered?: true
}

let namespaces = 0
const namespace = () => `test${namespaces++}`

export async function memorySubject(): Promise<StoreSubject> {
  const clock = fakeClock()
  return { store: memorySessions({ clock }), advance: async (ms) => clock.advance(ms), close: async () => undefined }
}

/** A process that ends, and starts again, whenever time has passed so often. */
export async function fileSubject(restartsEach = 1): Promise<StoreSubject> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sessions-'))
  const clock = fakeClock()
  let files: FileStores
  let current: SettingsStore
  const start = () => {
    files = fileStores(folder, { fsync: 'never', clock })
    current = fileSessions(files)
  }
  start()
  let advances = 0
  return {
    store: new Proxy({} as SettingsStore, { get: (_, name) => Reflect.get(current, name) }),
    async advance(ms) {
      clock.advance(ms)
      advances += 1
      if (advances % restartsEach !== 0) return
      files.close()
      start()
    },
    async close() {
      files.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export async function redisSubject(): Promise<StoreSubject> {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const now = async () => {
    const [seconds, micros] = await redis.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }
  return {
    store: redisSessions(redis, { namespace: namespace(), commandTimeoutMs: 20_000 }),
    advance: (ms) => untilPassed(now, ms),
    close: async () => {
      redis.disconnect()
      await server.stop()
    },
  }
}

async function clusterSubject(): Promise<StoreSubject> {
  const nodes = await sharedCluster()
  const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
  return {
    store: redisSessions(cluster, { namespace: namespace(), commandTimeoutMs: 20_000 }),
    // All nodes are on this machine.
    advance: (ms) => untilPassed(async () => Date.now(), ms),
    close: async () => cluster.disconnect(),
  }
}

async function postgresSubject(): Promise<StoreSubject> {
  const { pool, stop } = await startPostgres()
  return {
    store: postgresSessions(pool, { namespace: namespace(), commandTimeoutMs: 20_000 }),
    // The server is on this machine.
    advance: (ms) => untilPassed(async () => Date.now(), ms),
    close: stop,
    isUnordered: true,
  }
}

export async function pgliteSubject(): Promise<StoreSubject> {
  const database = await startPglite()
  return {
    store: postgresSessions(database, { namespace: namespace(), commandTimeoutMs: 20_000 }),
    advance: (ms) => untilPassed(async () => Date.now(), ms),
    close: () => database.close(),
  }
}

async function untilPassed(now: () => Promise<number>, ms: number): Promise<void> {
  const until = (await now()) + ms
  while ((await now()) < until) await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20)))
}

function subjectOf(kind: ClientKind): () => Promise<StoreSubject> {
  return async () => {
    const nodes = await (kind.isCluster ? sharedCluster() : sharedServer())
    const redis = await kind.connect(nodes)
    return {
      store: redisSessions(redis, { namespace: namespace(), commandTimeoutMs: 20_000 }),
      advance: (ms) => untilPassed(async () => Date.now(), ms),
      close: async () => redis.disconnect(),
    }
  }
}

const kinds = clientKinds({ ioredis: { Redis, Cluster }, iovalkey })

export const subjects: readonly (readonly [string, () => Promise<StoreSubject>])[] = [
  ['memory', memorySubject],
  ['file', fileSubject],
  ['Redis', redisSubject],
  ['a Redis cluster', clusterSubject],
  ['PostgreSQL', postgresSubject],
  ...kinds.map((kind) => [kind.name, subjectOf(kind)] as const),
]
