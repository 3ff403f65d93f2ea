import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryReplay, type ReplayStore } from '@countersign/core'
import { type FileStores, fileStores } from '@countersign/core/file'
import { memorySecrets } from '@countersign/hmac'
import { memoryCredentials } from '@countersign/mcp-credential'
import { fileCredentials } from '@countersign/mcp-credential/file'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { memorySessions } from '@countersign/settings-session'
import { fileSessions } from '@countersign/settings-session/file'
import { postgresSessions } from '@countersign/settings-session/postgres'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import {
  credentialStoreContract,
  replayStoreContract,
  secretStoreContract,
  settingsStoreContract,
} from '@countersign/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, Redis } from 'ioredis'
import { startPostgres } from '../../../test/support/postgres-tables.js'
import { RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'

const folder = mkdtempSync(join(tmpdir(), 'countersign-contracts-'))
let server: RedisServer
let cluster: Awaited<ReturnType<typeof startRedisCluster>>
let redis: Redis
let clustered: Cluster
let postgres: Awaited<ReturnType<typeof startPostgres>>
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([RedisServer.start(), startRedisCluster()])
  redis = new Redis(server.url)
  postgres = await startPostgres()
  clustered = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
}, 60_000)
afterAll(async () => {
  rmSync(folder, { recursive: true })
  redis.disconnect()
  clustered.disconnect()
  await Promise.all([server.stop(), cluster.stop(), postgres.stop()])
})

const opened: FileStores[] = []
afterEach(() => {
  for (const files of opened.splice(0)) files.close()
})
/** A folder of its own for each case. */
function newFiles(): FileStores {
  const files = fileStores(mkdtempSync(join(folder, 'stores-')), { fsync: 'never' })
  opened.push(files)
  return files
}

const patient = { commandTimeoutMs: 10_000 }

describe('[testing-contracts] the contract of credential stores holds', () => {
  describe('in memory', () => {
    test.each(credentialStoreContract(() => memoryCredentials()))('$title', ({ run }) => run())
  })
  describe('in a file', () => {
    test.each(credentialStoreContract(() => fileCredentials(newFiles())))('$title', ({ run }) => run())
  })
  describe('on Redis', () => {
    test.each(credentialStoreContract(() => redisCredentials(redis, patient)))('$title', ({ run }) => run())
  })
  describe('on a Redis Cluster', () => {
    test.each(credentialStoreContract(() => redisCredentials(clustered, patient)))('$title', ({ run }) => run())
  })
  describe('on PostgreSQL', () => {
    test.each(credentialStoreContract(() => postgresCredentials(postgres.pool, patient)))('$title', ({ run }) => run())
  })
})

describe('[testing-contracts] the contract of secret stores holds in memory', () => {
  test.each(secretStoreContract((audit) => memorySecrets([], audit && { audit })))('$title', ({ run }) => run())
})

describe('[testing-contracts] the contract of settings stores holds', () => {
  describe('in memory', () => {
    test.each(settingsStoreContract(() => memorySessions()))('$title', ({ run }) => run())
  })
  describe('in a file', () => {
    test.each(settingsStoreContract(() => fileSessions(newFiles())))('$title', ({ run }) => run())
  })
  describe('on Redis', () => {
    test.each(settingsStoreContract(() => redisSessions(redis, patient)))('$title', ({ run }) => run())
  })
  describe('on a Redis Cluster', () => {
    test.each(settingsStoreContract(() => redisSessions(clustered, patient)))('$title', ({ run }) => run())
  })
  describe('on PostgreSQL', () => {
    test.each(settingsStoreContract(() => postgresSessions(postgres.pool, patient)))('$title', ({ run }) => run())
  })
})

/** The titles of the cases that a store does not meet. */
async function failing(cases: readonly { title: string; run: () => Promise<void> }[]): Promise<string[]> {
  const results = await Promise.all(
    cases.map(async ({ title, run }) =>
      run().then(
        () => [],
        () => [title],
      ),
    ),
  )
  return results.flat()
}

/** A store with one method replaced. */
function broken<S extends object>(store: S, changes: Partial<S>): S {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(Object.hasOwn(changes, name) ? changes : target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('[testing-contracts] a store that breaks a rule is found:', () => {
  test('a replay store that forgets, one that evicts, one that takes a claim for no time', async () => {
    const forgetful: ReplayStore = { claim: () => 'fresh' }
    expect(await failing(replayStoreContract(() => forgetful))).toContain('a key is fresh once, then seen')
    const held = new Set<string>()
    const racy: ReplayStore = {
      claim: async (key) => {
        const result = held.has(key) ? 'seen' : 'fresh'
        await new Promise((resolve) => setImmediate(resolve))
        held.add(key)
        return result
      },
    }
    expect(await failing(replayStoreContract(() => racy))).toEqual([
      'of many claims of one key at once, exactly one is fresh',
      'a claim is forgotten after its time, and not before',
      'a claim for no time is a mistake, and not fresh',
    ])
    expect(await failing(replayStoreContract(() => memoryReplay()))).toEqual([])
  }, 30_000)

  test('a credential store that revokes nothing, that compares nothing, that keeps what it supersedes', async () => {
    const deaf = () => broken<McpCredentialStore>(memoryCredentials(), { revoke: () => true })
    expect(await failing(credentialStoreContract(deaf))).toContain('revokes one credential, once, and no other')
    const trusting = () => {
      const store = memoryCredentials()
      return broken<McpCredentialStore>(store, {
        resolve: (id, _digest, life) => {
          const found = store.peek(id, life)
          return found === undefined
            ? undefined
            : ({ ...(found as object as { standing: 'live' }), isProven: true } as never)
        },
      })
    }
    expect(await failing(credentialStoreContract(trusting))).toContain(
      'proves a secret, and finds nothing under an id that it does not know',
    )
    const generous = () => {
      const store = memoryCredentials()
      return broken<McpCredentialStore>(store, {
        issue: (credential, life) => store.issue({ ...credential, onExisting: 'keep' }, life),
      })
    }
    expect(await failing(credentialStoreContract(generous))).toContain(
      'has one live credential after many were issued for a thread at once',
    )
  }, 60_000)

  test('a settings store that spends no link, and one that revokes no session', async () => {
    const deaf = () => broken<SettingsStore>(memorySessions(), { revoke: () => undefined })
    expect(await failing(settingsStoreContract(deaf))).toContain('ends one session, and says which')
    const patientStore = () => broken<SettingsStore>(memorySessions(), { revokeAll: () => undefined })
    expect(await failing(settingsStoreContract(patientStore))).toContain(
      'ends all sessions of a user and voids the links under way',
    )
  }, 60_000)
})
