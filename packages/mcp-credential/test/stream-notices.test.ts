import { fileURLToPath } from 'node:url'
import { createMcpCredentials, type McpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type ChildApp, startChildApp } from '../../../test/support/child-app.js'
import { RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'
import { agent, mcpApp } from './harness.js'
import { openStream, streaming, until } from './support/streams.js'

const patient = { commandTimeoutMs: 10_000 }
const otherApp = fileURLToPath(new URL('./support/stream-process.ts', import.meta.url))

async function single() {
  const server = await RedisServer.start()
  return { nodes: [server], stop: () => server.stop() }
}

describe.each([
  ['one Redis', single],
  ['a cluster', startRedisCluster],
])('processes on %s', (_name, start) => {
  let servers: { readonly nodes: readonly RedisServer[]; stop(): Promise<void> }
  let other: ChildApp
  let redis: Redis | Cluster
  let credentials: McpCredentials

  beforeAll(async () => {
    servers = await start()
    const nodes = servers.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
    other = await startChildApp(otherApp, { REDIS_PORTS: nodes.map(({ port }) => port).join() })
    const options = { keyPrefix: 'app:' }
    redis = nodes.length > 1 ? new Cluster(nodes, options) : new Redis({ ...nodes[0], ...options })
    credentials = createMcpCredentials({ store: redisCredentials(redis, patient), audit: recordedAudit().audit })
  }, 60_000)
  afterAll(async () => {
    await credentials?.close()
    redis?.disconnect()
    await other?.stop()
    await servers?.stop()
  })

  test('[mcp-stream-ends] what one process revokes ends its open streams in the other at once, and no others', async () => {
    const stay = await credentials.issue({ threadId: 'stay', providerInstanceId: 'stay' })
    const port = Number(new URL(other.url).port)
    const staying = await openStream(port, stay.authorizationHeader)
    const ways: [string, (one: { credentialId: string; threadId: string }) => Promise<unknown>][] = [
      ['revoke', ({ credentialId }) => credentials.revoke(credentialId)],
      ['thread', ({ threadId }) => credentials.revokeThread(threadId)],
      ['provider', () => credentials.revokeProvider('p-provider')],
      ['session', () => credentials.revokeProviderSession('s-session')],
      ['retire', ({ threadId }) => credentials.retire(threadId)],
      ['issue', ({ threadId }) => credentials.issue({ threadId, providerInstanceId: 'p-issue' })],
    ]
    for (const [name, end] of ways) {
      const subject = { threadId: `t-${name}`, providerInstanceId: `p-${name}`, providerSessionId: `s-${name}` }
      const carried = await credentials.issue(subject)
      const issued = await credentials.issue({ ...subject, onExisting: 'carry' })
      const streams = await Promise.all([carried, issued].map((one) => openStream(port, one.authorizationHeader)))
      expect(streams.map(({ isOpen }) => isOpen)).toEqual([true, true])
      await end(issued)
      await until(() => streams.every(({ isOpen }) => !isOpen))
    }
    expect(staying.isOpen).toBe(true)
    await credentials.revokeAll()
    await until(() => !staying.isOpen)
  })

  test('[mcp-stream-ends] what was revoked while a process heard nothing ends when it hears again', async () => {
    if (servers.nodes.length > 1) return expect(servers.nodes).toHaveLength(3)
    const server = servers.nodes[0] as RedisServer
    const issued = await credentials.issue({ ...agent, threadId: 'missed' })
    const stream = await openStream(Number(new URL(other.url).port), issued.authorizationHeader)
    const subscribers = async () => (await server.command('PUBSUB', 'CHANNELS', '*')) as string[]
    expect(await subscribers()).toEqual(['app:cs:mcp:ended'])
    await redis.pipeline([['client', 'kill', 'type', 'pubsub']]).exec()
    await credentials.revoke(issued.credentialId)
    await until(() => !stream.isOpen)
    return undefined
  })
})

test('[mcp-stream-ends] without the right to publish or to listen a revocation is done, and the recheck ends the stream', async () => {
  const server = await RedisServer.start()
  await server.command('ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels')
  const connect = () => new Redis(server.url, { username: 'mute', password: 'secret' })
  const [redis, otherRedis] = [connect(), connect()]
  const app = await mcpApp({
    handler: streaming,
    recheckSeconds: 0.1,
    wrapStore: () => redisCredentials(redis, patient),
  })
  const elsewhere = createMcpCredentials({ store: redisCredentials(otherRedis, patient) })
  const [a, b] = [await app.credentials.issue(agent), await app.credentials.issue({ ...agent, threadId: 'b' })]
  const streams = await Promise.all([a, b].map((one) => openStream(app.port, one.authorizationHeader)))
  expect(await elsewhere.revoke(a.credentialId)).toBe(true)
  expect((await app.credentials.resolve(a.token)).standing).toBe('revoked')
  await until(() => streams[0]?.isOpen === false)
  expect(await elsewhere.revokeThread('b')).toBe(true)
  expect(await elsewhere.retire('c')).toBe(false)
  await until(() => streams[1]?.isOpen === false)
  await app.close()
  await elsewhere.close()
  redis.disconnect()
  otherRedis.disconnect()
  await server.stop()
})

test('a process listens from its first stream on, until its registry is closed', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const app = await mcpApp({ handler: streaming, wrapStore: () => redisCredentials(redis, patient) })
  const listeners = async () => ((await server.command('PUBSUB', 'NUMSUB', 'cs:mcp:ended')) as [string, number])[1]
  const issued = await app.credentials.issue(agent)
  expect(await listeners()).toBe(0)
  await openStream(app.port, issued.authorizationHeader)
  const others = await openStream(app.port, issued.authorizationHeader)
  while ((await listeners()) !== 1) await new Promise((resolve) => setTimeout(resolve, 10))
  await app.credentials.close()
  while ((await listeners()) !== 0) await new Promise((resolve) => setTimeout(resolve, 10))
  // A Redis that takes no subscription does without: the credential is looked up all the same.
  expect([others.isOpen, (await app.credentials.resolve(issued.token)).standing]).toEqual([true, 'live'])
  await app.close()
  redis.disconnect()
  await server.stop()
})
