import { get } from 'node:http'
import { UnavailableError } from '@countersign/core'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { agent, mcpApp, send } from './harness.js'
import { openStream, streaming, until } from './support/streams.js'

test('[mcp-stream-ends] an open stream ends immediately when its credential is revoked, and no other does', async () => {
  const app = await mcpApp({ handler: streaming, recheckSeconds: 3600 })
  const issue = (threadId: string) => app.credentials.issue({ ...agent, threadId })
  const [a, b, c, d] = [await issue('a'), await issue('b'), await issue('c'), await issue('d')]
  const streams = await Promise.all([a, b, c, d].map((one) => openStream(app.port, one.authorizationHeader)))
  const open = () => streams.map(({ isOpen }) => isOpen)
  await a.revoke()
  await until(() => !open()[0])
  expect(open()).toEqual([false, true, true, true])
  await app.credentials.revokeThread('b')
  await until(() => !open()[1])
  await app.credentials.issue({ ...agent, threadId: 'c' })
  await until(() => !open()[2])
  expect(open()).toEqual([false, false, false, true])
  await app.credentials.revokeAll()
  await until(() => !open()[3])
  const ended = app.events.filter(({ type }) => type === 'connection.ended')
  expect(ended.map(({ credential, attributes }) => [credential?.id, attributes?.cause])).toEqual([
    [a.credentialId, 'no_longer_valid'],
    [b.credentialId, 'no_longer_valid'],
    [c.credentialId, 'no_longer_valid'],
    [d.credentialId, 'no_longer_valid'],
  ])
  await app.close()
})

test.each(['Text/Event-Stream', '*/*', 'application/json'])(
  '[mcp-stream-ends] a stream that a handler opens ends on revocation whatever was accepted (%s)',
  async (accept) => {
    const app = await mcpApp({ handler: streaming, recheckSeconds: 3600 })
    const issued = await app.credentials.issue(agent)
    const stream = await openStream(app.port, issued.authorizationHeader, accept)
    await issued.revoke()
    await until(() => !stream.isOpen)
    await app.close()
  },
)

test('[mcp-stream-ends] a revocation looks at the streams that it may concern, and at no other', async () => {
  const app = await mcpApp({ handler: streaming, recheckSeconds: 3600 })
  const looks = () => app.calls.filter((name) => name === 'peek').length
  const others = Array.from({ length: 20 }, (_, index) => ({
    threadId: `t${index + 10}`,
    providerInstanceId: `p${index % 2}`,
  }))
  for (const other of others) {
    await openStream(app.port, (await app.credentials.issue({ ...agent, ...other })).authorizationHeader)
  }
  const own = await app.credentials.issue({ ...agent, providerInstanceId: 'mine' })
  const alias = await openStream(app.port, own.authorizationHeader)
  const holder = await app.credentials.issue({ ...agent, providerInstanceId: 'mine', onExisting: 'carry' })
  const stream = await openStream(app.port, holder.authorizationHeader)
  app.calls.length = 0
  await holder.revoke()
  await until(() => !stream.isOpen && !alias.isOpen)
  expect(looks()).toBe(2)
  await app.credentials.revokeThread('t10')
  expect(looks()).toBe(3)
  await app.credentials.retire('t11')
  expect(looks()).toBe(4)
  await app.credentials.issue({ ...agent, threadId: 't12', providerInstanceId: 'p0' })
  expect(looks()).toBe(5)
  // Those of an ended one are closed by then, or looked at once more.
  await app.credentials.revokeProvider('p1')
  expect(looks()).toBeLessThanOrEqual(5 + 10)
  await app.credentials.revokeAll()
  await app.close()
})

test('[mcp-stream-ends] revoking an alias ends its own stream, and no other', async () => {
  const app = await mcpApp({ handler: streaming, recheckSeconds: 3600 })
  const alias = await app.credentials.issue(agent)
  const holder = await app.credentials.issue({ ...agent, onExisting: 'carry' })
  const streams = await Promise.all([alias, holder].map((one) => openStream(app.port, one.authorizationHeader)))
  await alias.revoke()
  await until(() => streams[0]?.isOpen === false)
  expect(streams[1]?.isOpen).toBe(true)
  await holder.revoke()
  await until(() => streams[1]?.isOpen === false)
  await app.close()
})

test('[mcp-stream-ends] a stream ends when its credential goes idle: being open is not a sign of life', async () => {
  const app = await mcpApp({ handler: streaming, recheckSeconds: 0.02 })
  const stream = await openStream(app.port, (await app.credentials.issue(agent)).authorizationHeader)
  app.pass(20 * 60_000)
  await app.credentials.touch('t1')
  app.pass(20 * 60_000)
  const seen = stream.text.length
  await until(() => stream.text.length > seen + 100)
  expect(stream.isOpen).toBe(true)
  app.pass(12 * 60_000)
  await until(() => !stream.isOpen)
  await app.close()
})

test('[mcp-stream-ends] a stream ends when another process has revoked its credential, and no other does', async () => {
  const server = await RedisServer.start()
  const [redis, otherRedis] = [new Redis(server.url), new Redis(server.url)]
  const app = await mcpApp({
    handler: streaming,
    recheckSeconds: 0.05,
    wrapStore: () => redisCredentials(redis, { commandTimeoutMs: 10_000 }),
  })
  // What another process has: a registry and a connection of its own, which tells the first one nothing.
  const elsewhere = createMcpCredentials({ store: redisCredentials(otherRedis, { commandTimeoutMs: 10_000 }) })
  const [a, b] = [await app.credentials.issue(agent), await app.credentials.issue({ ...agent, threadId: 'b' })]
  const streams = await Promise.all([a, b].map((one) => openStream(app.port, one.authorizationHeader)))
  await elsewhere.revoke(a.credentialId)
  await until(() => streams[0]?.isOpen === false)
  const seen = streams[1]?.text.length ?? 0
  await until(() => (streams[1]?.text.length ?? 0) > seen + 100)
  expect(streams[1]?.isOpen).toBe(true)
  await app.close()
  await elsewhere.close()
  redis.disconnect()
  otherRedis.disconnect()
  await server.stop()
})

test('a stream outlives a short outage of the store, and ends in a long one', async () => {
  let isDown = false
  let looks = 0
  const wrapStore = (store: McpCredentialStore): McpCredentialStore =>
    new Proxy(store, {
      get(target, name) {
        if (name !== 'peek') return Reflect.get(target, name)
        return (...args: Parameters<McpCredentialStore['peek']>) => {
          looks += 1
          if (isDown) throw new UnavailableError('test', 'down')
          return target.peek(...args)
        }
      },
    })
  const app = await mcpApp({ handler: streaming, recheckSeconds: 0.02, wrapStore })
  const stream = await openStream(app.port, (await app.credentials.issue(agent)).authorizationHeader)
  isDown = true
  const from = looks
  await until(() => looks >= from + 5)
  expect(stream.isOpen).toBe(true)
  isDown = false
  const back = looks
  await until(() => looks >= back + 5)
  expect(stream.isOpen).toBe(true)
  isDown = true
  await until(() => !stream.isOpen)
  await app.close()
})

test('with a field called __proto__ the credential is removed and the rest stays', async () => {
  const seen: unknown[] = []
  const app = await mcpApp({
    handler: (request, response) => {
      const { headersDistinct, rawHeaders, headers } = request
      seen.push(headersDistinct['x-one'], headersDistinct.authorization, headers.authorization)
      seen.push(rawHeaders.filter((text) => /^(?:authorization|__proto__|x-one)$/i.test(text)))
      response.end('{}')
    },
  })
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  const sent = await send(app.port, { authorization, ['__proto__']: '1', 'X-One': ['a', 'b'] as never })
  expect(sent.status).toBe(200)
  expect(seen.slice(0, 3)).toEqual([['a', 'b'], undefined, undefined])
  expect((seen[3] as string[]).map((name) => name.toLowerCase()).filter((name) => name !== '__proto__')).toEqual([
    'x-one',
    'x-one',
  ])
  await app.close()
})

test('a client that is gone before the store answers leaves nothing behind to be watched', async () => {
  let answer: (() => void) | undefined
  const peeked: string[] = []
  const wrapStore = (store: McpCredentialStore): McpCredentialStore =>
    new Proxy(store, {
      get(target, name) {
        if (name === 'peek') {
          return (...args: Parameters<McpCredentialStore['peek']>) => {
            peeked.push(args[0])
            return target.peek(...args)
          }
        }
        if (name !== 'resolve' || answer !== undefined) return Reflect.get(target, name)
        return async (...args: Parameters<McpCredentialStore['resolve']>) => {
          await new Promise<void>((resolve) => {
            answer = resolve
          })
          return target.resolve(...args)
        }
      },
    })
  let closed = false
  const app = await mcpApp({
    wrapStore,
    handler: streaming,
    recheckSeconds: 0.01,
    before: [
      (_request, response, next) => {
        response.on('close', () => {
          closed = true
        })
        next()
      },
    ],
  })
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  const request = get({ port: app.port, headers: { authorization, accept: 'text/event-stream' }, agent: false })
  request.on('error', () => undefined)
  await until(() => answer !== undefined)
  request.destroy()
  await until(() => closed)
  answer?.()
  await until(() => app.last() === 'granted')
  // A stream that is watched shows that checks are made.
  const other = await app.credentials.issue({ ...agent, threadId: 't2' })
  await openStream(app.port, other.authorizationHeader)
  await until(() => peeked.length >= 5)
  expect([...new Set(peeked)]).toEqual([other.credentialId])
  await app.close()
})
