import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { createScriptRunner, defineScript, keyTag } from '../src/store.js'
import { client, client5, disconnectAll } from './harness.js'

/** Passes everything on, and counts the pieces that come from the client. */
async function countingProxy(port: number): Promise<{ url: string; pieces: string[]; server: Server }> {
  const pieces: string[] = []
  const sockets: Socket[] = []
  const server = createServer((incoming) => {
    const outgoing = createConnection(port, '127.0.0.1')
    sockets.push(incoming, outgoing)
    incoming.on('data', (piece) => pieces.push(piece.toString('latin1')))
    for (const socket of [incoming, outgoing]) socket.setNoDelay(true).on('error', () => undefined)
    incoming.pipe(outgoing).pipe(incoming)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.on('close', () => {
    for (const socket of sockets) socket.destroy()
  })
  return { url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`, pieces, server }
}

let redisServer: RedisServer
beforeAll(async () => {
  redisServer = await RedisServer.start()
})
afterAll(async () => {
  disconnectAll()
  await redisServer.stop()
})

const TAG = keyTag('cs', 'batch')
const echo = defineScript('batch_echo', 1, 'return ARGV[1]')

test.each([
  ['ioredis 6', client],
  ['ioredis 5.9', client5],
])('what one turn of the event loop asks goes out in one piece, in its order (%s)', async (_name, connect) => {
  const proxy = await countingProxy(redisServer.port)
  const redis = connect(proxy.url) as Redis
  const runner = createScriptRunner(redis, 'tests', 'test_store', { commandTimeoutMs: 10_000 })
  const ask = (text: string) => runner.run(echo, TAG, [`${TAG}:a`], [text])
  await ask('warm')
  await ask('warm')
  proxy.pieces.length = 0
  // The app's own command goes where it stands: before what was asked after it.
  const asked = [ask('a'), ask('b'), redis.echo('between'), ask('c')]
  const later = Promise.resolve().then(() => ask('d'))
  expect(await Promise.all([...asked, later])).toEqual(['a', 'b', 'between', 'c', 'd'])
  expect(proxy.pieces).toHaveLength(1)
  expect(proxy.pieces[0]?.match(/\r\n(?:a|b|between|c|d)\r\n/g)).toEqual(
    ['a', 'b', 'between', 'c', 'd'].map((text) => `\r\n${text}\r\n`),
  )
  // Another turn is another piece, and nothing is held back once no call is waiting.
  await new Promise((resolve) => setImmediate(resolve))
  proxy.pieces.length = 0
  await redis.echo('alone')
  expect(proxy.pieces).toHaveLength(1)
  redis.disconnect()
  proxy.server.close()
})

test('a connection that is lost between asking and sending is an outage, and the next one is used', async () => {
  const redis = client(redisServer.url, { retryStrategy: () => 1 })
  const runner = createScriptRunner(redis, 'tests', 'test_store', { commandTimeoutMs: 10_000 })
  const ask = (text: string) => runner.run(echo, TAG, [`${TAG}:a`], [text])
  await ask('warm')
  for (let round = 0; round < 20; round += 1) {
    const asked = ask(`lost ${round}`).then(
      (answer) => answer === `lost ${round}`,
      (error: { code?: string }) => error.code === 'ERR_COUNTERSIGN_UNAVAILABLE',
    )
    // Within the same turn: what was asked is still held back.
    redis.stream.destroy()
    expect(await asked).toBe(true)
    await new Promise<void>((resolve) => {
      if (redis.status === 'ready') resolve()
      else redis.once('ready', () => resolve())
    })
    expect(await ask('again')).toBe('again')
  }
})

test('a test of the app that fakes timers does not hold back what is asked of Redis', async () => {
  const redis = client(redisServer.url)
  const runner = createScriptRunner(redis, 'tests', 'test_store', { commandTimeoutMs: 10_000 })
  expect(await runner.run(echo, TAG, [`${TAG}:a`], ['warm'])).toBe('warm')
  jest.useFakeTimers({ doNotFake: ['nextTick', 'performance', 'Date', 'hrtime', 'queueMicrotask'] })
  try {
    expect(await runner.run(echo, TAG, [`${TAG}:a`], ['faked'])).toBe('faked')
    expect(await redis.echo('the app')).toBe('the app')
  } finally {
    jest.useRealTimers()
  }
})
