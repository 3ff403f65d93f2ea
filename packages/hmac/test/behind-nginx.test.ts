import type { RequireHmacOptions } from '@countersign/hmac'
import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { NginxServer } from '../../../test/support/nginx-server.js'
import { type Harness, hmacApp, send, signed } from './harness.js'

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]
const seen: RequestHandler = (request, response) => {
  response.json({ url: request.originalUrl, host: request.headers.host })
}
const BODY = Buffer.from('{"a":1}')

const apps: Harness[] = []
let nginx: NginxServer
beforeAll(async () => {
  const app = async (options: Partial<RequireHmacOptions> = {}) => {
    const made = await hmacApp({ formats: formats.map(([, format]) => format), after: [seen], ...options })
    apps.push(made)
    return made.port
  }
  const original = (request: { headers: Record<string, unknown> }) => String(request.headers['x-original-uri'])
  const unrewritten = (request: { originalUrl: string }) => request.originalUrl.replace(/^\/v2/, '/rewritten/v1')
  nginx = await NginxServer.start(`
    merge_slashes off;
    location /kept/ { proxy_pass http://127.0.0.1:${await app()}; }
    location /host/ { proxy_pass http://127.0.0.1:${await app()}; proxy_set_header Host internal.example.net; }
    location /unaware/ { proxy_pass http://127.0.0.1:${await app()}/; }
    location /billing/ { proxy_pass http://127.0.0.1:${await app({ pathPrefix: '/billing' })}/; }
    location /original/ {
      proxy_pass http://127.0.0.1:${await app({ target: original })}/;
      proxy_set_header X-Original-URI $request_uri;
    }
    location /rewritten/ {
      rewrite ^/rewritten/v1(/.*)$ /v2$1 break;
      proxy_pass http://127.0.0.1:${await app({ target: unrewritten })};
    }
  `)
})
afterAll(async () => {
  await nginx?.stop()
  await Promise.all(apps.map((app) => app.close()))
})

describe.each(formats)('behind nginx, a signature in %s', (_name, format) => {
  /** What the client signs is what it sends; where `sent` differs, somebody on the way has changed it. */
  async function outcome(target: string, sent = target, extra: Record<string, string> = {}) {
    for (const app of apps) app.clock.advance(1000)
    const before = new Map(apps.map((app) => [app, app.events.length]))
    const [app] = apps as [Harness]
    const headers = signed({ format, version: 3, target, body: BODY, now: app.clock.now() })
    const { status, text } = await send(nginx.port, 'POST', sent, { ...headers, ...extra }, BODY)
    const asked = apps.find((one) => one.events.length > (before.get(one) ?? 0))
    return [status, status === 200 ? JSON.parse(text).url : asked?.last()]
  }

  test.each(['/kept/jobs?a=1', '/kept/a%2Fb%20c/%7e?x=%2e%2F+', '/kept//a/./b/../c'])(
    'holds where the path is passed on as it is: %s',
    async (target) => {
      expect(await outcome(target)).toEqual([200, target])
    },
  )

  test('does not depend on the Host, which nginx rewrites', async () => {
    for (const path of ['/kept/a', '/host/a']) {
      const headers = signed({ format, version: 3, target: path, now: (apps[0] as Harness).clock.now() })
      const { status, text } = await send(nginx.port, 'POST', path, { ...headers, host: 'billing.example.com' })
      const host = path === '/host/a' ? 'internal.example.net' : expect.stringMatching(/^127\.0\.0\.1:/)
      expect([status, JSON.parse(text)]).toEqual([200, { url: path, host }])
    }
  })

  test('does not hold where a prefix is stripped and the gate does not know it', async () => {
    expect(await outcome('/unaware/jobs?a=1')).toEqual([401, 'bad_signature'])
  })

  test('holds with pathPrefix where the prefix is stripped, and nothing else of the path can be changed', async () => {
    expect(await outcome('/billing/jobs?a=1')).toEqual([200, '/jobs?a=1'])
    expect(await outcome('/billing/')).toEqual([200, '/'])
    expect(await outcome('/billing/a%20b?x=%2F')).toEqual([200, '/a%20b?x=%2F'])
    expect(await outcome('/billing/jobs?a=1', '/billing/jobs?a=2')).toEqual([401, 'bad_signature'])
    expect(await outcome('/billing/jobs', '/billing/admin')).toEqual([401, 'bad_signature'])
    expect(await outcome('/jobs', '/billing/jobs')).toEqual([401, 'bad_signature'])
    expect(await outcome('/billing/billing/jobs', '/billing/jobs')).toEqual([401, 'bad_signature'])
  })

  test.each([
    ['/billing/a%2Fb', '/original/a%2Fb', '/a/b'],
    ['/billing/%7Ea', '/original/%7Ea', '/~a'],
    ['/billing/a/../b', '/original/a/../b', '/b'],
  ])(
    'does not hold with pathPrefix where nginx decodes the rest of the path, and holds with target: %s',
    async (prefixed, own, url) => {
      expect(await outcome(prefixed)).toEqual([401, 'bad_signature'])
      expect(await outcome(own)).toEqual([200, url])
    },
  )

  test('holds with a target that nginx states, and not with one that the client states', async () => {
    expect(await outcome('/original/jobs?a=1')).toEqual([200, '/jobs?a=1'])
    const stated = { 'x-original-uri': '/original/jobs?a=1' }
    expect(await outcome('/original/jobs?a=1', '/original/admin', stated)).toEqual([401, 'bad_signature'])
  })

  test('holds with a target that undoes a rewriting', async () => {
    expect(await outcome('/rewritten/v1/jobs?a=1')).toEqual([200, '/v2/jobs?a=1'])
    expect(await outcome('/rewritten/v1/jobs', '/rewritten/v1/admin')).toEqual([401, 'bad_signature'])
  })
})
