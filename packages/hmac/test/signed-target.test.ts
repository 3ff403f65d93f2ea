import { requireHmac, rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { explainSignature } from '@countersign/hmac/explain'
import { afterEach, describe, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

describe.each(formats)('the target of a signature in %s', (_name, format) => {
  const post = async (signedFor: string, sent: string) => {
    app.clock.advance(1000)
    const headers = signed({ format, version: 3, target: signedFor, now: app.clock.now() })
    return [(await send(app.port, 'POST', sent, headers)).status, app.last()]
  }

  test('that a proxy shortened is restored by pathPrefix, in one place and once', async () => {
    app = await hmacApp({ formats: [format], pathPrefix: '/billing/v1' })
    expect(await post('/billing/v1/jobs?a=1', '/jobs?a=1')).toEqual([200, 'granted'])
    expect(await post('/jobs?a=1', '/jobs?a=1')).toEqual([401, 'bad_signature'])
    expect(await post('/billing/v1/jobs', '/billing/v1/jobs')).toEqual([401, 'bad_signature'])
    expect(await post('/billing/v1//jobs', '//jobs')).toEqual([200, 'granted'])
    const headers = signed({ format, version: 3, target: '/billing/v1/jobs', now: app.clock.now() })
    const { status } = await send(app.port, 'POST', `http://${AUDIENCE}/jobs`, headers)
    expect([status, app.last(), app.events.at(-1)?.attributes?.part]).toEqual([401, 'malformed', 'target'])
  })

  test('is asked of the function only where a signature is presented', async () => {
    let asked = 0
    const legacy = { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } }
    const target = ({ originalUrl }: { originalUrl: string }) => {
      asked += 1
      return `/api${originalUrl}`
    }
    app = await hmacApp({ formats: [format], target, legacy })
    expect(await post('/api/jobs', '/jobs')).toEqual([200, 'granted'])
    expect(asked).toBe(1)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(200)
    expect(asked).toBe(1)
  })

  test.each<[string, (request: unknown) => string]>([
    ['throws', () => JSON.parse('{')],
    ['returns no text', () => undefined as never],
    ['returns a promise', () => Promise.reject(new Error('late')) as never],
  ])('is 500 where the function %s: that is a bug and no refusal', async (_what, target) => {
    app = await hmacApp({ formats: [format], target })
    expect(await post('/jobs', '/jobs')).toEqual([500, 'internal_error'])
  })

  test('that the function makes of a request is refused where it is none', async () => {
    app = await hmacApp({ formats: [format], target: () => 'jobs' })
    expect(await post('/jobs', '/jobs')).toEqual([401, 'malformed'])
    expect(app.events.at(-1)?.attributes).toEqual({ format: format.name, part: 'target' })
  })

  test('is explained with the options of the gate', async () => {
    app = await hmacApp()
    const { secrets, clock } = app
    const headers = signed({ format, version: 3, target: '/billing/jobs', now: clock.now() })
    const gate = { secrets, audience: AUDIENCE, formats: [format], now: clock.now() }
    const arrived = { method: 'POST', url: '/jobs', headers }
    expect((await explainSignature(arrived, gate)).verdict).toMatchObject({ reason: 'bad_signature' })
    const { verdict, claim } = await explainSignature(arrived, { ...gate, pathPrefix: '/billing' })
    expect(verdict.outcome).toBe('granted')
    expect(claim?.base).toContain('/billing/jobs')
  })
})

test('where the target comes from is checked at creation', async () => {
  app = await hmacApp()
  const { secrets } = app
  const make = (options: object) => () => requireHmac({ secrets, audience: AUDIENCE, ...options } as never)
  for (const pathPrefix of ['billing', '/billing/', '/', '', '/a//b', '/a?b', '/a#b', '/a b', '/\u00fc', 7]) {
    expect(make({ pathPrefix })).toThrow('option "pathPrefix" must be the start of a path, such as "/billing"')
  }
  expect(make({ pathPrefix: '/a%2Fb/c' })).not.toThrow()
  expect(make({ target: '/billing' })).toThrow('option "target" must be a function that is not async')
  expect(make({ target: async () => '/' })).toThrow('option "target" must be a function that is not async')
  expect(make({ target: () => '/', pathPrefix: '/billing' })).toThrow('remove one of them')
  expect(make({ basePath: '/billing' })).toThrow('Did you mean "pathPrefix"?')
})
