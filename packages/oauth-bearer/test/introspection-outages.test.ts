import type { ServerResponse } from 'node:http'
import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Harness } from './harness.js'
import { type IntrospectedApp, introspectedApp } from './introspected-app.js'
import type { Introspector } from './introspector.js'

let app: Harness
let endpoint: Introspector
let active: IntrospectedApp['active']
let outcome: IntrospectedApp['outcome']
afterEach(() => app.stop())

async function start(introspection: Partial<IntrospectionOptions> = {}) {
  ;({ app, endpoint, active, outcome } = await introspectedApp(introspection))
}

const seconds = () => Math.floor(app.clock.now() / 1000)

describe('failures of the endpoint', () => {
  const text = (status: number, body: string) => (response: ServerResponse) => void response.writeHead(status).end(body)
  test.each([
    ['its 500', text(500, '{"active":true}')],
    ['its 429', text(429, '{}')],
    ['its refusal of our credentials', text(401, '{"error":"invalid_client"}')],
    ['its 403', text(403, '')],
    ['its 400', text(400, '{"error":"invalid_request"}')],
    ['a redirect', (response: ServerResponse) => void response.writeHead(302, { location: '/elsewhere' }).end()],
    ['HTML', text(200, '<html>')],
    ['an empty body', text(200, '')],
    ['a list', text(200, '[{"active":true}]')],
    ['active as a text', text(200, '{"active":"true"}')],
    ['active as a number', text(200, '{"active":1}')],
    ['no active at all', text(200, '{"sub":"u1"}')],
    ['active twice', text(200, '{"active":false,"active":true}')],
    ['a huge answer', text(200, `{"active":false,"x":"${'a'.repeat(64 * 1024)}"}`)],
    ['a reset', (response: ServerResponse) => void response.socket?.destroy()],
  ])('%s is 503 with Retry-After and without a challenge, and is not cached', async (_name, answer) => {
    await start()
    endpoint.tokens.set('opaque', answer)
    const { status, headers } = await app.get('opaque')
    expect([status, app.last()]).toEqual([503, 'introspection'])
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(headers.get('www-authenticate')).toBeNull()
    endpoint.tokens.set('opaque', active())
    expect(await outcome('opaque')).toBe('200 granted')
  })

  test('a broken connection is retried once', async () => {
    await start()
    let broken = 0
    endpoint.tokens.set('opaque', (response) => {
      broken += 1
      if (broken === 1) response.socket?.destroy()
      else response.end(JSON.stringify(active()))
    })
    expect(await outcome('opaque')).toBe('200 granted')
    expect(broken).toBe(2)
  })

  test('a hung endpoint and a slow body are 503 within the time limit', async () => {
    await start({ timeoutMs: 150 })
    const timers: NodeJS.Timeout[] = []
    endpoint.tokens.set('hung', () => undefined)
    endpoint.tokens.set('slow', (response) => {
      response.writeHead(200)
      timers.push(setInterval(() => response.write(' '), 20))
    })
    const startedAt = performance.now()
    expect(await outcome('hung')).toBe('503 introspection')
    expect(await outcome('slow')).toBe('503 introspection')
    expect(performance.now() - startedAt).toBeLessThan(5000)
    for (const timer of timers) clearInterval(timer)
  })

  test('after five failures in a row the endpoint is not asked for a while', async () => {
    await start()
    endpoint.tokens.set('opaque', text(500, ''))
    for (let round = 0; round < 10; round += 1) expect(await outcome('opaque')).toBe('503 introspection')
    expect(endpoint.asked).toHaveLength(5)
    app.clock.advance(1000)
    endpoint.tokens.set('opaque', active())
    expect(await outcome('opaque')).toBe('200 granted')
  })

  test('simultaneous failures count once', async () => {
    await start()
    const open: ServerResponse[] = []
    for (let n = 0; n < 30; n += 1) endpoint.tokens.set(`t${n}`, (response) => void open.push(response))
    const met = Array.from({ length: 30 }, (_, n) => app.get(`t${n}`))
    while (open.length < 30) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const response of open) response.writeHead(500).end()
    expect(new Set((await Promise.all(met)).map(({ status }) => status))).toEqual(new Set([503]))
    endpoint.tokens.set('opaque', active())
    expect(await outcome('opaque')).toBe('503 introspection')
    app.clock.advance(1000)
    expect(await outcome('opaque')).toBe('200 granted')
  })

  test.each([
    ['its 400', text(400, '{"error":"invalid_request"}')],
    ['a huge answer', text(200, `{"active":true,"x":"${'a'.repeat(64 * 1024)}"}`)],
    ['no answer of its kind', text(200, '{"active":1}')],
  ])('%s for some tokens does not lock out the others', async (_name, answer) => {
    await start()
    for (let n = 0; n < 8; n += 1) {
      endpoint.tokens.set(`bad-${n}`, answer)
      expect(await outcome(`bad-${n}`)).toBe('503 introspection')
    }
    endpoint.tokens.set('opaque', active())
    expect(await outcome('opaque')).toBe('200 granted')
  })

  test('metadata that hangs is 503 within the time limit for everything', async () => {
    await start({ timeoutMs: 150 })
    let isOpen = false
    app.issuer.answer('/.well-known/oauth-authorization-server', (_request, response) => {
      isOpen = true
      response.on('close', () => {
        isOpen = false
      })
    })
    expect(await outcome('opaque')).toBe('503 introspection')
    // And not only when the 3 s of the metadata are over: one round trip later the server would know.
    await fetch(`${app.issuer.url}/jwks`)
    expect(isOpen).toBe(true)
  })

  test('metadata that hangs during a refresh is not an outage of the endpoint', async () => {
    await start()
    for (const name of ['one', 'two', 'three']) endpoint.tokens.set(name, active({ exp: seconds() + 86_400 }))
    expect(await outcome('one')).toBe('200 granted')
    let asked = 0
    app.issuer.answer('/.well-known/oauth-authorization-server', (_request, response) => {
      asked += 1
      response.on('close', () => undefined)
    })
    app.clock.advance(3_600_001)
    expect(await outcome('two')).toBe('200 granted')
    expect(await outcome('three')).toBe('200 granted')
    expect(asked).toBe(1)
  })

  test('an endpoint that the metadata does not name is an outage, too', async () => {
    await start()
    app.issuer.metadata = {}
    expect(await outcome('opaque')).toBe('503 introspection')
  })
})
