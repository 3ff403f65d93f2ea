import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RedisServer } from '../../../test/support/redis-server.js'
import { createScriptRunner, defineSharedScript, keyTag } from '../src/store.js'
import { client, client5, disconnectAll, unavailable } from './harness.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  disconnectAll()
  await server.stop()
})

const patient = { commandTimeoutMs: 20_000 }
const TAG = keyTag('cs', 'gathering')
const OTHER = keyTag('cs', 'gathering', 2)
const get = defineSharedScript('gathering_get', {
  keys: ['key', 'other'],
  args: ['fallback'],
  once: 'local asked = 0\n',
  body: "asked = asked + 1\nreturn call('GET', key) or fallback ~= '' and fallback .. asked",
})

/** How many scripts clients sent while something was done. */
async function commandsOf(at: RedisServer, work: () => unknown): Promise<number> {
  const calls = async () => {
    const stats = String(await at.command('INFO', 'commandstats'))
    const of = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    return of('evalsha') + of('eval')
  }
  const before = await calls()
  await work()
  return (await calls()) - before
}

function asking(redis: ReturnType<typeof client>) {
  const runner = createScriptRunner(redis, 'tests', 'test_store', patient)
  return (key: string, fallback = '', tag = TAG) =>
    runner.ask(get, tag, [`${tag}:${key}`, `${tag}:other`], [fallback]) as Promise<string | null>
}

test.each([
  ['ioredis 6', () => client(server.url)],
  ['ioredis 5.9', () => client5(server.url) as never],
  ['a keyPrefix', () => client(server.url, { keyPrefix: 'app:' })],
  ['auto-pipelining', () => client(server.url, { enableAutoPipelining: true })],
])(
  '[redis-one-command] what one turn of the event loop asks a shared script goes out in one command, with own results (%s)',
  async (_name, connect) => {
    const redis = connect()
    const ask = asking(redis)
    await redis.set(`${TAG}:a`, 'A')
    await redis.set(`${OTHER}:a`, 'of another tag')
    expect(await ask('a')).toBe('A')
    let answers: readonly unknown[] = []
    const commands = await commandsOf(server, async () => {
      const first = [ask('a'), ask('b', 'x'), ask('c'), ask('a', '', OTHER)]
      const later = Promise.resolve().then(() => ask('d', 'y'))
      answers = await Promise.all([...first, later])
    })
    expect(answers).toEqual(['A', 'x2', null, 'of another tag', 'y5'])
    expect(commands).toBe(1)
    // Another turn is another command.
    expect(await commandsOf(server, () => ask('a').then(() => ask('a')))).toBe(2)
  },
)

test('more than the server should run at once go out in several commands', async () => {
  const redis = client(server.url)
  const ask = asking(redis)
  await redis.mset(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${TAG}:many-${index}`, index])))
  await ask('warm')
  let answers: readonly unknown[] = []
  const commands = await commandsOf(server, async () => {
    answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`many-${index}`)))
  })
  expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => String(index)))
  expect(commands).toBe(4)
})

test('a call with a key too few is a bug of its caller, and gets nobody the answer to another', async () => {
  const redis = client(server.url)
  const ask = asking(redis)
  const runner = createScriptRunner(redis, 'tests', 'test_store', patient)
  await redis.set(`${TAG}:a`, 'A')
  const answers = await Promise.allSettled([
    ask('a'),
    runner.ask(get, TAG, [`${TAG}:b`], ['x']),
    runner.ask(get, TAG, [`${TAG}:b`, `${TAG}:other`], []),
    ask('a'),
  ])
  const failed = { status: 'rejected', reason: expect.any(TypeError) }
  expect(answers).toEqual([{ status: 'fulfilled', value: 'A' }, failed, failed, { status: 'fulfilled', value: 'A' }])
})

test('[redis-server-error] a call whose records are broken fails alone', async () => {
  const redis = client(server.url)
  const ask = asking(redis)
  await redis.set(`${TAG}:a`, 'A')
  await redis.lpush(`${TAG}:list`, 'x')
  const answers = await Promise.allSettled([ask('a'), ask('list'), ask('b', 'x')])
  expect(answers).toEqual([
    { status: 'fulfilled', value: 'A' },
    { status: 'rejected', reason: expect.objectContaining(unavailable) },
    { status: 'fulfilled', value: 'x1' },
  ])
})

test('[redis-server-error] a call whose records lack a number fails alone', async () => {
  const redis = client(server.url)
  const runner = createScriptRunner(redis, 'tests', 'test_store', patient)
  const later = defineSharedScript('gathering_later', {
    keys: ['key'],
    args: [],
    body: "return math.max(1, tonumber(call('GET', key)))",
  })
  const ask = (key: string) => runner.ask(later, TAG, [`${TAG}:${key}`], [])
  await redis.set(`${TAG}:number`, '7')
  const answers = await Promise.allSettled([ask('number'), ask('none'), ask('number')])
  const seven = { status: 'fulfilled', value: 7 }
  expect(answers).toEqual([seven, { status: 'rejected', reason: expect.objectContaining(unavailable) }, seven])
})

test('[redis-key-tags] a server with slots that its client takes for one without gets a command for each tag', async () => {
  const lone = await RedisServer.start('--cluster-enabled', 'yes')
  try {
    const redis = client(lone.url)
    await redis.cluster('ADDSLOTSRANGE', 0, 16_383)
    const ask = asking(redis)
    const eventually = async (): Promise<void> => {
      if (!String(await redis.cluster('INFO')).includes('cluster_state:ok')) return eventually()
    }
    await eventually()
    await redis.set(`${TAG}:a`, 'A')
    await redis.set(`${OTHER}:a`, 'B')
    const both = () => Promise.all([ask('a'), ask('a', '', OTHER), ask('a')])
    expect(await both()).toEqual(['A', 'B', 'A'])
    expect(await commandsOf(lone, async () => expect(await both()).toEqual(['A', 'B', 'A']))).toBe(2)
  } finally {
    await lone.stop()
  }
})

test('[redis-key-tags] a proxy before a cluster may say in its own words that keys have several slots', async () => {
  const redis = client(server.url)
  const runner = createScriptRunner(redis, 'tests', 'test_store', patient)
  // As the proxies of hosted clusters answer.
  const ofOneTag = defineSharedScript('gathering_of_one_tag', {
    keys: ['key'],
    args: [],
    body: `for at = 2, #KEYS do
  if KEYS[at] ~= KEYS[1] then error({err = "ERR 'EVALSHA' command keys must in same slot"}) end
end
return 1`,
  })
  const ask = (tag: string) => runner.ask(ofOneTag, tag, [tag], [])
  const both = () => Promise.all([ask(TAG), ask(OTHER), ask(TAG)])
  expect(await both()).toEqual([1, 1, 1])
  expect(await commandsOf(server, async () => expect(await both()).toEqual([1, 1, 1]))).toBe(2)
})

test('[redis-deadline] an outage fails all that went out together, and what was late does nothing', async () => {
  const redis = client(server.url)
  const runner = createScriptRunner(redis, 'tests', 'test_store', { commandTimeoutMs: 100 })
  const count = defineSharedScript('gathering_count', {
    keys: ['key'],
    args: [],
    body: "return call('INCR', key)",
  })
  const ask = () => runner.ask(count, TAG, [`${TAG}:count`], [])
  await Promise.allSettled([ask()])
  const before = Number(await redis.get(`${TAG}:count`))
  server.pause()
  try {
    const answers = await Promise.allSettled([ask(), ask(), ask()])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    for (const answer of answers) expect(answer).toMatchObject({ reason: { ...unavailable, isTimeout: true } })
  } finally {
    server.resume()
  }
  expect(Number(await redis.get(`${TAG}:count`))).toBe(before)
})
