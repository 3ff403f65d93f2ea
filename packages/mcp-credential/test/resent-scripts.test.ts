import { createHash, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore, NewCredential } from '@countersign/mcp-credential/store'
import type { RedisScript } from '@countersign/redis/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { type Command, Redis } from 'ioredis'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { resolveLife } from '../src/registry/life.js'
import * as issueScripts from '../src/store/redis/issue-script.js'
import * as resolveScripts from '../src/store/redis/resolve-script.js'
import * as otherScripts from '../src/store/redis/scripts.js'
import { mintToken } from '../src/token.js'
import { passInRedis } from './support/redis-time.js'

// A connection that is cut after a script ran and before its answer came: ioredis sends the script again, with the same
// arguments. The second answer must be the first one, and nothing may have changed.

const scripts = new Map(
  Object.values({ ...issueScripts, ...resolveScripts, ...otherScripts }).map((script) => [script.name, script]),
)
const READERS = ['mcp_names', 'mcp_count']

const life = resolveLife(
  'test',
  { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn: 'both' },
  true,
)
const digest = randomBytes(32)

function credential(options: Partial<NewCredential> = {}): NewCredential {
  const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: 's1', ...options }
  const { id } = mintToken('mcps', subject)
  return { id, digest, capabilities: ['a'], onExisting: 'supersede', overlapMs: 0, ...subject }
}

let server: RedisServer
let proxy: HangingRedis
let direct: Redis
let redis: Redis
let watcher: McpCredentialStore
const patient = { commandTimeoutMs: 60_000 }

beforeAll(async () => {
  server = await RedisServer.start()
  proxy = await hangingRedis(server.port)
  direct = new Redis(server.url)
  watcher = redisCredentials(direct, patient)
})
beforeEach(async () => {
  await direct.flushall()
  redis = new Redis(proxy.url, { retryStrategy: () => 20 })
  redis.on('error', () => undefined)
})
afterEach(() => redis.disconnect())
afterAll(async () => {
  direct.disconnect()
  await proxy.close()
  await server.stop()
})

/** Everything that is stored in the partition of a key. */
async function stateBeside(key: string): Promise<unknown> {
  const tag = /\{[^}]*\}/.exec(key)?.[0] ?? ''
  const keys = (await direct.keys('*')).filter((name) => name.includes(tag)).sort()
  return Promise.all(
    keys.map(async (name) => {
      const type = await direct.type(name)
      if (type === 'hash') return [name, Object.entries(await direct.hgetall(name)).sort()]
      return [name, type === 'zset' ? await direct.zrange(name, '0', '-1', 'WITHSCORES') : await direct.get(name)]
    }),
  )
}

/** Scripts that the server has run. The client sends one as EVAL until it knows that the server has it. */
async function runs(): Promise<number> {
  const counts = (await direct.info('commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

interface Resent {
  readonly answers: readonly unknown[]
  readonly states: readonly unknown[]
}

/** Cuts the connection between the run of a script (the n-th that the client sends) and its answer. */
function cutAfter(script: RedisScript, nth: number): Promise<Resent> {
  const sha = createHash('sha1').update(script.lua).digest('hex')
  const send = redis.sendCommand.bind(redis)
  let seen = 0
  let isOver: Promise<unknown> = Promise.resolve()
  return new Promise((resolve, reject) => {
    async function cut(command: Command, args: string[]): Promise<void> {
      const key = args[2] as string
      // The first run, whose answer the client will not see, and the two runs of a client whose connection is cut.
      const first = await direct.call('eval', script.lua, ...args.slice(1))
      const states = [await stateBeside(key)]
      const before = await runs()
      proxy.hangReplies()
      const answered = Promise.resolve(send(command))
      while ((await runs()) === before) await setTimeout(2)
      proxy.reset()
      proxy.resume()
      const second = await answered
      states.push(await stateBeside(key))
      resolve({ answers: [first, second].map((answer) => (answer as unknown[])[1]), states })
    }
    let chosen: Command | undefined
    redis.sendCommand = ((command: Command) => {
      // Over a new connection the client sends through this, too.
      if (!command.name.startsWith('eval') || command === chosen) return send(command)
      const args = command.args.map(String)
      if ([sha, script.lua].includes(args[0] ?? '') && ++seen === nth) {
        chosen = command
        isOver = cut(command, args).catch(reject)
      } else {
        // What comes next of the same operation waits until the state was read.
        // The store hears of a failure by the command's own promise.
        void isOver.then(() => send(command)).catch(() => undefined)
      }
      return command.promise
    }) as typeof redis.sendCommand
  })
}

interface Row {
  readonly what: string
  readonly script: string
  /** Which of the commands with that script. */
  readonly nth?: number
  readonly maxPerThread?: number
  /** What there is before; done by another process. */
  prepare?(): unknown
  act(store: McpCredentialStore): unknown
}

const old = credential()
const other = credential({ threadId: 't1', providerInstanceId: 'p2', providerSessionId: undefined, onExisting: 'keep' })
const issueOld = () => watcher.issue(old, life)
const passing = (ms: number) => async () => {
  await issueOld()
  await watcher.touch('t1', life)
  await passInRedis(direct, ms)
}

/** So long that a touch slides the records, too. */
async function aBusyDay(): Promise<void> {
  await passing(20 * 60_000)()
  for (let round = 0; round < 20; round += 1) {
    await watcher.resolve(old.id, digest, life)
    await passInRedis(direct, 20 * 60_000)
  }
}

const rows: readonly Row[] = [
  { what: 'the first step of an issue', script: 'mcp_issue', act: (store) => store.issue(credential(), life) },
  {
    what: 'the first step of an issue for a retired thread',
    script: 'mcp_issue',
    prepare: async () => watcher.retire('t1', 60_000),
    act: (store) => store.issue(credential(), life),
  },
  ...(['supersede', 'keep', 'carry'] as const).map((onExisting) => ({
    what: `the second step of an issue with ${onExisting}`,
    script: 'mcp_confirm',
    prepare: issueOld,
    act: (store: McpCredentialStore) => store.issue(credential({ onExisting }), life),
  })),
  {
    what: 'the second step with an overlap',
    script: 'mcp_confirm',
    prepare: issueOld,
    act: (store) => store.issue(credential({ overlapMs: 60_000 }), life),
  },
  {
    what: 'the second step of one that a newer one has superseded',
    script: 'mcp_confirm',
    act: (store) => store.issue(credential(), life, async () => void (await watcher.issue(old, life))),
  },
  {
    what: 'the second step of one that was revoked meanwhile',
    script: 'mcp_confirm',
    act: (store) =>
      store.issue(credential(), life, async ({ credentialId }) => void (await watcher.revoke(credentialId, life))),
  },
  {
    what: 'the second step that finds the thread full',
    script: 'mcp_confirm',
    maxPerThread: 1,
    act: (store) =>
      store.issue(credential({ onExisting: 'keep' }), life, async () => void (await watcher.issue(other, life))),
  },
  {
    what: 'a look-up that slides',
    script: 'mcp_resolve',
    prepare: passing(10 * 60_000),
    act: (store) => store.resolve(old.id, digest, life),
  },
  {
    what: 'the first use of one that nobody confirmed',
    script: 'mcp_resolve',
    prepare: async () => {
      await new Promise<void>((isWritten) => {
        const never = new Promise<void>(() => undefined)
        void watcher.issue(old, life, () => {
          isWritten()
          return never
        })
      })
    },
    act: (store) => store.resolve(old.id, digest, life),
  },
  {
    what: 'a look-up of an alias that slides',
    script: 'mcp_resolve',
    nth: 2,
    prepare: async () => {
      await issueOld()
      await watcher.issue(credential({ onExisting: 'carry' }), life)
      await passInRedis(direct, 10 * 60_000)
    },
    act: (store) => store.resolve(old.id, digest, life),
  },
  {
    what: 'a revival',
    script: 'mcp_resolve',
    prepare: passing(40 * 60_000),
    act: (store) => store.revive(old.id, digest, life),
  },
  { what: "a touch's look-up", script: 'mcp_resolve', prepare: aBusyDay, act: (store) => store.touch('t1', life) },
  { what: 'a touch', script: 'mcp_touch', prepare: issueOld, act: (store) => store.touch('t1', life) },
  {
    what: 'a touch after a pause',
    script: 'mcp_touch',
    prepare: passing(10 * 60_000),
    act: (store) => store.touch('t1', life),
  },
  {
    what: 'the end of a touch that refreshed',
    script: 'mcp_touch',
    nth: 2,
    prepare: aBusyDay,
    act: (store) => store.touch('t1', life),
  },
  { what: 'a revocation', script: 'mcp_revoke', prepare: issueOld, act: (store) => store.revoke(old.id, life) },
  { what: 'a revocation of nothing', script: 'mcp_revoke', act: (store) => store.revoke(old.id, life) },
  {
    what: 'a second revocation',
    script: 'mcp_revoke',
    prepare: async () => {
      await issueOld()
      await watcher.revoke(old.id, life)
    },
    act: (store) => store.revoke(old.id, life),
  },
  ...(
    [
      ['thread', 't1'],
      ['provider', 'p1'],
      ['session', 's1'],
      ['all', '*'],
    ] as const
  ).map(([scope, id]) => ({
    what: `a revocation of a scope (${scope})`,
    script: 'mcp_revoke_scope',
    prepare: issueOld,
    act: (store: McpCredentialStore) => store.revokeScope(scope, id),
  })),
  { what: 'a retirement', script: 'mcp_retire', prepare: issueOld, act: (store) => store.retire('t1', 60_000) },
  {
    what: "the extension of aliases' lives",
    script: 'mcp_extend',
    prepare: async () => {
      await issueOld()
      await watcher.issue(credential({ onExisting: 'carry' }), life)
      await watcher.resolve(old.id, digest, life)
      await passInRedis(direct, 10 * 60_000)
    },
    act: (store) => store.resolve(old.id, digest, life),
  },
  { what: 'the key of sessions', script: 'mcp_session_key', act: (store) => store.sessionKey?.() },
  {
    what: 'the removal of the dead from the index',
    script: 'mcp_forget',
    maxPerThread: 1,
    prepare: passing(2 * 3600_000),
    act: (store) => store.issue(credential({ onExisting: 'keep' }), { ...life, revivesIdle: false }),
  },
]

test.each(rows.map((row) => [row.what, row.script, row] as const))(
  'sent again over a new connection, %s (%s) answers the same and changes nothing',
  async (_what, name, { nth = 1, maxPerThread = 100, prepare, act }) => {
    await prepare?.()
    await redis.ping()
    const store = redisCredentials(redis, { ...patient, maxPerThread })
    const cut = cutAfter(scripts.get(name) as RedisScript, nth)
    const work = Promise.resolve(act(store))
    const { answers, states } = await Promise.race([cut, work.then(() => cut)])
    expect(answers[1]).toEqual(answers[0])
    expect(states[1]).toEqual(states[0])
    await work
  },
)

test('the table has every script that changes something', () => {
  const tried = new Set(rows.map(({ script }) => script))
  expect([...tried].sort()).toEqual([...scripts.keys()].filter((name) => !READERS.includes(name)).sort())
})

test.each<[string, boolean, (store: McpCredentialStore) => unknown]>([
  ['revoke', true, (store) => store.revoke(old.id, life)],
  ['revokeScope', true, (store) => store.revokeScope('thread', 't1')],
  ['revokeScope of a provider', true, (store) => store.revokeScope('provider', 'p1')],
  ['retire', true, (store) => store.retire('t1', 60_000)],
  ['touch', true, (store) => store.touch('t1', life)],
])('%s whose connection is cut is true when it was done', async (_, expected, act) => {
  await issueOld()
  await redis.ping()
  const store = redisCredentials(redis, patient)
  await store.count(life)
  const before = await runs()
  proxy.hangReplies()
  const result = Promise.resolve(act(store))
  while ((await runs()) === before) await setTimeout(2)
  proxy.reset()
  proxy.resume()
  expect(await result).toBe(expected)
})
