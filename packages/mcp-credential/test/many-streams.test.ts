import { expect, test } from '@jest/globals'
import { agent, mcpApp, send } from './harness.js'
import { openStream, streaming, until } from './support/streams.js'

test('[mcp-stream-ends] among 1,000 streams a revocation asks for one credential, and ends its streams alone', async () => {
  // The events of a stream would be a load of their own.
  const app = await mcpApp({
    recheckSeconds: 3600,
    handler: (_request, response) => void response.write('data: 0\n\n'),
  })
  const issued = await Promise.all(
    Array.from({ length: 500 }, (_, index) => app.credentials.issue({ ...agent, threadId: `t${index}` })),
  )
  const streams: Awaited<ReturnType<typeof openStream>>[] = []
  for (const { authorizationHeader } of issued) {
    const both = [openStream(app.port, authorizationHeader), openStream(app.port, authorizationHeader)]
    streams.push(...(await Promise.all(both)))
  }
  const looks = () => app.calls.filter((name) => name === 'peek').length
  expect([streams.length, looks()]).toEqual([1000, 0])
  await issued[7]?.revoke()
  expect(looks()).toBe(1)
  await until(() => streams[14]?.isOpen === false && streams[15]?.isOpen === false)
  await app.credentials.revokeThread('t8')
  expect(looks()).toBe(2)
  await until(() => streams[16]?.isOpen === false && streams[17]?.isOpen === false)
  expect(streams.filter(({ isOpen }) => isOpen)).toHaveLength(996)
  await app.close()
}, 60_000)

test('[mcp-max-streams] of more than maxStreams of one credential the oldest ends, and no other one of the process', async () => {
  const app = await mcpApp({ handler: streaming, maxStreams: 3, recheckSeconds: 0.05 })
  const other = await app.credentials.issue({ ...agent, threadId: 'other' })
  const others = await Promise.all([1, 2, 3].map(() => openStream(app.port, other.authorizationHeader)))
  const { authorizationHeader, credentialId } = await app.credentials.issue(agent)
  const streams: Awaited<ReturnType<typeof openStream>>[] = []
  for (let count = 0; count < 5; count += 1) streams.push(await openStream(app.port, authorizationHeader))
  await until(() => streams.filter(({ isOpen }) => isOpen).length === 3)
  expect(streams.map(({ isOpen }) => isOpen)).toEqual([false, false, true, true, true])
  expect(others.map(({ isOpen }) => isOpen)).toEqual([true, true, true])
  const ended = app.events.filter(({ type }) => type === 'connection.ended')
  expect(ended.map(({ credential, attributes }) => [credential?.id, attributes?.cause])).toEqual([
    [credentialId, 'too_many'],
    [credentialId, 'too_many'],
  ])
  // One that a client closes makes room.
  streams[2]?.close()
  await until(() => streams[2]?.isOpen === false)
  streams.push(await openStream(app.port, authorizationHeader))
  const seen = streams.map(({ text }) => text.length)
  await until(() => streams.slice(3).every(({ text }, index) => text.length > (seen[index + 3] ?? 0) + 100))
  expect(streams.map(({ isOpen }) => isOpen)).toEqual([false, false, false, true, true, true])
  await app.close()
})

test('[mcp-max-streams] streams that are opened all at once are bounded, too', async () => {
  const app = await mcpApp({ handler: streaming, maxStreams: 2, recheckSeconds: 0.05 })
  const { authorizationHeader } = await app.credentials.issue(agent)
  const streams = await Promise.all(Array.from({ length: 40 }, () => openStream(app.port, authorizationHeader)))
  await until(() => streams.filter(({ isOpen }) => isOpen).length === 2)
  await app.close()
})

test('[mcp-max-streams] calls that are being answered are no streams: none ends, however many there are', async () => {
  const waiting: (() => void)[] = []
  const app = await mcpApp({
    maxStreams: 1,
    recheckSeconds: 0.05,
    handler: (_request, response) => void waiting.push(() => response.json({ done: true })),
  })
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  const sent = Array.from({ length: 20 }, (_, id) =>
    send(app.port, { authorization }, { jsonrpc: '2.0', id, method: 'x' }),
  )
  await until(() => waiting.length === 20)
  for (const answer of waiting) answer()
  expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
  expect(app.events.filter(({ type }) => type === 'connection.ended')).toEqual([])
  await app.close()
})
