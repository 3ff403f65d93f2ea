import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { callers } from '../../packages/demo/src/duel/callers.js'
import { senderTo } from '../../packages/demo/src/duel/exchange.js'
import type { Result } from '../../packages/demo/src/duel/row.js'
import { type RunningDemo, startDemo } from '../../packages/demo/src/start.js'
import { oursInWords, usualInWords } from '../../packages/demo/src/table.js'
import { readPages } from '../docs/markdown.js'
import { serve } from '../support/http-server.js'

let demo: RunningDemo
const results = new Map<string, Result>()
beforeAll(async () => {
  demo = await startDemo()
  for (const { rows } of callers) for (const row of rows) results.set(row.id, await row.run(demo.world))
}, 60_000)
afterAll(() => demo?.close())

test('each row is answered by both sides as docs/demo.md says', () => {
  const page = readPages().find(({ path }) => path === 'docs/demo.md')
  const told = page?.text.split('\n').filter((line) => /^\|[^|]*\|[^|]*\| `/.test(line))
  const answered = callers.flatMap(({ title, rows }) =>
    rows.map((row, index) => {
      const result = results.get(row.id) as Result
      const cells = [index === 0 ? title : '', row.title, `\`${oursInWords(result)}\``, `\`${usualInWords(result)}\``]
      return `| ${cells.join(' | ')} |`
    }),
  )
  expect(told).toEqual(answered)
})

test('each row is as it says of itself, and right on our side', () => {
  const wrong = [...results.values()].filter(
    ({ ours, usual }) => !ours.isAsExpected || !ours.isRight || !usual.isAsExpected,
  )
  expect(wrong.map(({ id, ours, usual }) => [id, ours.why, usual.why])).toEqual([])
})

test('each kind of caller has a request that both let in, and attacks', () => {
  const kinds = callers.map(({ id, rows }) => [id, rows.filter(({ kind }) => kind === 'valid').length, rows.length > 4])
  expect(kinds).toEqual([
    ['service', 1, true],
    ['client', 1, true],
    ['agent', 1, true],
    ['person', 1, true],
  ])
})

test('the events are of the very requests, and no token, key or seal is in what the page is sent', async () => {
  const { event } = (results.get('service-replay') as Result).ours
  expect([event?.type, event?.reason, event?.http?.route]).toEqual([
    'access.denied',
    'replayed',
    '/internal/executions',
  ])
  const text = JSON.stringify([...results.values()])
  const { scheduler } = demo.world.demo
  for (const secret of [scheduler.secret, demo.world.usualApp.sharedKey]) expect(text).not.toContain(secret)
  expect(text).not.toMatch(/[\w-]{40,}\.[\w-]{40,}\.[\w-]{40,}|mcps_\w{60,}|Fe26\.2\*\*\w+\*\w+\*\w+/)
})

test('a row may be pressed as often as one likes: guesses of one person do not count against the next', async () => {
  const forwarded = callers.flatMap(({ rows }) => rows).find(({ id }) => id === 'person-forwarded')
  for (let press = 0; press < 12; press += 1) {
    expect((await forwarded?.run(demo.world))?.ours.reason).toBe('wrong_code')
  }
})

test('both sides get the same bytes', async () => {
  const seen: string[] = []
  const record = (request: IncomingMessage, response: ServerResponse) => {
    request.setEncoding('latin1')
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push([request.method, request.url, ...request.rawHeaders, body].join('\n'))
      response.end()
    })
  }
  const headers = { 'Content-Type': 'application/json', Signature: 'sig1=:AAAA:' }
  for (const server of [await serve(record), await serve(record)]) {
    const { send } = senderTo(Number(new URL(server.url).port))
    await send('http://localhost:1/a?b=c', { method: 'POST', headers, body: '{"ä":1}' })
    await server.close()
  }
  expect(seen[0]).toContain('Host\nlocalhost:1')
  expect(seen[1]).toBe(seen[0])
})

test("a name of another site that leads to this machine gets nothing, and another site's page presses no button", async () => {
  const { port } = demo.world.ours
  const { send } = senderTo(port)
  for (const path of ['/', '/events', '/settings']) {
    expect([path, (await send(`http://elsewhere.example.com:${port}${path}`)).status]).toEqual([path, 421])
  }
  const press = async (origin: string, host = 'localhost') => {
    const headers = { Origin: origin }
    const path = '/agent/settings-links'
    const answer = await send(`http://${host}:${port}${path}`, { method: 'POST', headers })
    await answer.body?.cancel()
    return answer.status
  }
  expect(await press(`http://elsewhere.example.com:${port}`, 'elsewhere.example.com')).toBe(421)
  for (const origin of ['https://elsewhere.example.com', `http://localhost:1`, 'null']) {
    expect([origin, await press(origin)]).toEqual([origin, 403])
  }
  for (const host of ['localhost', '127.0.0.1']) expect(await press(`http://${host}:${port}`, host)).toBe(200)
})
