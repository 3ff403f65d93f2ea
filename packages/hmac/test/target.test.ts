import { requireHmac, rfc9421, type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

/** Signs one target and sends another. */
async function reasonOf(format: SignatureFormat, target: string, sent: string): Promise<string | undefined> {
  app.clock.advance(1000)
  await send(app.port, 'POST', sent, signed({ target, format, version: 3, now: app.clock.now() }))
  return app.last()
}

describe.each(formats)('a target signed in %s', (name, format) => {
  test.each([
    ['added', '/jobs', '/jobs?a=1'],
    ['extended', '/jobs?a=1', '/jobs?a=1&b=2'],
    ['removed', '/jobs?a=1', '/jobs'],
    ['reordered', '/jobs?a=1&b=2', '/jobs?b=2&a=1'],
    ['encoded otherwise', '/jobs?a=%20', '/jobs?a=+'],
  ])('[hmac-query] is another one with its query %s', async (_what, target, sent) => {
    app = await hmacApp({ formats: [format] })
    expect(await reasonOf(format, target, target)).toBe('granted')
    expect(await reasonOf(format, target, sent)).toBe('bad_signature')
  })

  test('[hmac-query] is another one with a bare question mark', async () => {
    app = await hmacApp({ formats: [format] })
    expect(await reasonOf(format, '/jobs', '/jobs?')).toBe(name === 'rfc9421' ? 'malformed' : 'bad_signature')
    expect(await reasonOf(format, '/jobs?a=1', '/jobs?')).toBe(name === 'rfc9421' ? 'malformed' : 'bad_signature')
    if (name === 'xHeaders') expect(await reasonOf(format, '/jobs?', '/jobs?')).toBe('granted')
    else expect(() => signed({ target: '/jobs?', format, version: 3, now: 0 })).toThrow('must not end in a "?"')
  })

  test.each(['//host/a', '/a/../b', '/a/%2e%2e/b', '/a/./b', '/a%2Fb', '/A', '/%61', '/a;v=1', "/a'(b)*!"])(
    '[hmac-target] is %s as it is sent, and no other spelling of it',
    async (target) => {
      app = await hmacApp({ formats: [format] })
      expect(await reasonOf(format, target, target)).toBe('granted')
      for (const other of ['/a', '/b', '/a/b', 'http://host/a', '//host/../a']) {
        if (other === target) continue
        expect(['bad_signature', 'malformed']).toContain(await reasonOf(format, target, other))
      }
    },
  )

  test.each([
    ['a fragment', '/jobs#frag'],
    ['an absolute-form target', 'http://billing.example.com/jobs'],
    ['an absolute-form target of another host', 'http://staging.example.com/jobs'],
    ['an asterisk', '*'],
  ])('[hmac-target] is refused with %s', async (_what, sent) => {
    app = await hmacApp({ formats: [format] })
    expect(await reasonOf(format, '/jobs', sent)).toBe('malformed')
  })

  test('[hmac-target] holds below a mount prefix, with the prefix and not without', async () => {
    app = await hmacApp()
    const { secrets, clock } = app
    const inner = express.Router().use(requireHmac({ secrets, clock, audience: AUDIENCE, formats: [format] }))
    const outer = express().use(
      '/api',
      inner.use((_request, response) => void response.end('ok')),
    )
    const running = await serve(outer)
    const status = async (target: string) => {
      clock.advance(1000)
      const headers = signed({ target, format, version: 3, now: clock.now() })
      return (await send(running.port, 'POST', '/api/jobs?a=1', headers)).status
    }
    expect([await status('/api/jobs?a=1'), await status('/jobs?a=1')]).toEqual([200, 401])
    await running.close()
  })

  test.each(['https://billing.example.com/jobs', '/jobs', 'https://billing.example.com/jobs#frag'])(
    'is taken of %s',
    async (url) => {
      app = await hmacApp({ formats: [format] })
      const options = {
        caller: 'scheduler',
        version: 3,
        secret: SECRET,
        audience: AUDIENCE,
        format,
        now: app.clock.now(),
      }
      expect((await send(app.port, 'POST', '/jobs', sign({ method: 'POST', url }, options))).status).toBe(200)
    },
  )

  test('cannot be signed with a space, or as a name without a slash', () => {
    const options = { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, format }
    for (const url of ['/a b', 'jobs', '', '/ä', '/a\nb', undefined as never, {} as never]) {
      expect(() => sign({ method: 'POST', url }, options)).toThrow('"url" must be')
    }
  })
})
