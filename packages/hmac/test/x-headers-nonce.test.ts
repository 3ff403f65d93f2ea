import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { memoryReplay } from '@countersign/core'
import {
  createSignedFetch,
  createSigningInterceptor,
  type SigningClientOptions,
  sendSigned,
  type XHeadersOptions,
  xHeaders,
} from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Agent } from 'undici'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const NONCE = 'x-countersign-nonce'

let apps: Harness[] = []
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()))
  apps = []
})

/** Replicas that share what has been used, at one moment. */
async function replicas(count: number, options: XHeadersOptions = {}) {
  const clock = fakeClock()
  const replay = memoryReplay({ clock })
  const format = xHeaders(options)
  apps = await Promise.all(
    Array.from({ length: count }, () => hmacApp({ formats: [format], clock, replay }, { clock })),
  )
  const sign = (rest: Partial<Parameters<typeof signed>[0]> = {}) => signed({ format, now: clock.now(), ...rest })
  const outcome = async (headers: Record<string, string | string[]>, at = 0, method = 'POST', target = '/jobs?a=1') => {
    const app = apps[at] as Harness
    const { status } = await send(app.port, method, target, headers)
    return [status, app.last()]
  }
  return { sign, outcome, clock, app: apps[0] as Harness }
}

describe('equal requests within a second', () => {
  test('have one signature, so the second is refused, at another replica too', async () => {
    const { sign, outcome, app } = await replicas(2)
    expect([await outcome(sign()), await outcome(sign(), 1)]).toEqual([
      [200, 'granted'],
      [401, 'replayed'],
    ])
    expect(app.events.length + (apps[1]?.events.length ?? 0)).toBe(2)
  })

  test('without the query in the signature are equal whatever their query', async () => {
    const { sign, outcome } = await replicas(2, { bindQuery: false })
    expect(await outcome(sign({ target: '/jobs?a=1' }))).toEqual([200, 'granted'])
    expect(await outcome(sign({ target: '/jobs?a=2' }), 1, 'POST', '/jobs?a=2')).toEqual([401, 'replayed'])
    expect(await outcome(sign({ target: '/jobs?a=3', nonce: true }), 1, 'POST', '/jobs?a=3')).toEqual([200, 'granted'])
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'HEAD'])(
    'by %s are told apart by a nonce, and a copy of each is refused everywhere',
    async (method) => {
      const { sign, outcome } = await replicas(2)
      const [one, other] = [sign({ method, nonce: true }), sign({ method, nonce: true })]
      expect(one['x-countersign-timestamp']).toBe(other['x-countersign-timestamp'])
      expect(await outcome(one, 0, method)).toEqual([200, 'granted'])
      expect(await outcome(other, 1, method)).toEqual([200, 'granted'])
      expect(await outcome(one, 1, method)).toEqual([401, 'replayed'])
      expect(await outcome(other, 0, method)).toEqual([401, 'replayed'])
    },
  )
})

describe('the nonce', () => {
  test('is signed as one more line, and without it the text is as it was', async () => {
    const { outcome, clock } = await replicas(1)
    const lines = ['POST', '/jobs?a=1', 'scheduler', EMPTY, String(clock.now() / 1000), AUDIENCE]
    const by = (text: string, nonce?: string) => ({
      'x-countersign-caller': 'scheduler',
      'x-countersign-timestamp': String(clock.now() / 1000),
      'x-countersign-signature': createHmac('sha256', SECRET).update(text).digest('hex'),
      ...(nonce === undefined ? {} : { [NONCE]: nonce }),
    })
    expect(await outcome(by([...lines, 'nonce=a=b'].join('\n'), 'a=b'))).toEqual([200, 'granted'])
    expect(await outcome(by(lines.join('\n')))).toEqual([200, 'granted'])
    expect(await outcome(by(lines.join('\n'), 'a=b'))).toEqual([401, 'bad_signature'])
  })

  test('cannot be changed, taken out or put in', async () => {
    const { sign, outcome } = await replicas(1)
    const { [NONCE]: nonce = '', ...without } = sign({ nonce: 'nonce-1' })
    expect(await outcome(without)).toEqual([401, 'bad_signature'])
    expect(await outcome({ ...without, [NONCE]: 'nonce-2' })).toEqual([401, 'bad_signature'])
    expect(await outcome({ ...sign(), [NONCE]: 'nonce-1' })).toEqual([401, 'bad_signature'])
    expect(await outcome({ ...without, [NONCE]: nonce })).toEqual([200, 'granted'])
  })

  test.each([
    ['empty', '', 401, 'malformed'],
    ['with a space', 'a b', 401, 'malformed'],
    ['beyond ASCII', 'n\u00e9', 401, 'malformed'],
    ['of 129 characters', 'n'.repeat(129), 401, 'malformed'],
    ['that comes twice', ['n', 'n'], 400, 'ambiguous'],
  ])('%s is refused', async (_what, nonce, status, reason) => {
    const { sign, outcome, app } = await replicas(1)
    expect(await outcome({ ...sign(), [NONCE]: nonce })).toEqual([status, reason])
    expect(app.events.at(-1)?.attributes).toEqual({ format: 'xHeaders', part: NONCE })
  })

  test('of 128 characters is accepted, under the prefix of the format', async () => {
    const { sign, outcome } = await replicas(1, { prefix: 'x-kh', bindQuery: false, bindAudience: false })
    const headers = sign({ nonce: 'n'.repeat(128) })
    expect(Object.keys(headers)).toEqual(['x-kh-caller', 'x-kh-timestamp', 'x-kh-signature', 'x-kh-nonce'])
    expect(await outcome(headers)).toEqual([200, 'granted'])
  })
})

test("singleUse: 'nonce' refuses a request without one, of any method, and signs with one", async () => {
  const { sign, outcome, app } = await replicas(1, { singleUse: 'nonce' })
  for (const method of ['POST', 'GET']) {
    const headers = sign({ method })
    const { [NONCE]: _, ...without } = sign({ method })
    expect(await outcome(without, 0, method)).toEqual([401, 'malformed'])
    expect(app.events.at(-1)?.attributes).toEqual({ format: 'xHeaders', part: NONCE })
    expect(await outcome(signed({ method, now: app.clock.now() }), 0, method)).toEqual([401, 'malformed'])
    expect(await outcome(headers, 0, method)).toEqual([200, 'granted'])
    expect(await outcome(headers, 0, method)).toEqual([401, 'replayed'])
  }
})

test('dangerouslyAllowReplay accepts copies within the window, but for those with a nonce', async () => {
  const { sign, outcome, clock } = await replicas(2, { dangerouslyAllowReplay: true })
  const [plain, own] = [sign(), sign({ nonce: true })]
  expect([await outcome(plain), await outcome(plain), await outcome(plain, 1)]).toEqual([
    [200, 'granted'],
    [200, 'granted'],
    [200, 'granted'],
  ])
  expect([await outcome(own), await outcome(own, 1)]).toEqual([
    [200, 'granted'],
    [401, 'replayed'],
  ])
  clock.advance(301_000)
  expect(await outcome(plain)).toEqual([401, 'expired'])
})

test('the two options contradict each other, and a misspelt one is named', () => {
  const both = { singleUse: 'nonce', dangerouslyAllowReplay: true } as const
  expect(() => xHeaders(both)).toThrow('option "dangerouslyAllowReplay" contradicts singleUse')
  expect(() => xHeaders({ singleUse: 'never' } as never)).toThrow("must be one of 'signature', 'nonce'")
  expect(() => xHeaders({ singelUse: 'nonce' } as never)).toThrow('Did you mean "singleUse"?')
})

describe('a client with nonce: true has equal requests accepted within a second', () => {
  const options = (nonce?: boolean): SigningClientOptions => {
    const { clock } = apps[0] as Harness
    return {
      caller: 'scheduler',
      secret: SECRET,
      audience: AUDIENCE,
      format: xHeaders(),
      now: () => clock.now(),
      nonce,
    }
  }

  test.each<[string, (options: SigningClientOptions, url: string) => Promise<number | undefined>]>([
    ['createSignedFetch', async (own, url) => (await createSignedFetch(own)(`${url}/a`, { method: 'POST' })).status],
    [
      'createSigningInterceptor',
      async (own, url) => {
        const agent = new Agent()
        const signing = agent.compose(createSigningInterceptor({ ...own, origins: [url] }))
        const { statusCode, body } = await signing.request({ origin: url, path: '/a', method: 'POST' })
        await body.dump()
        await agent.destroy()
        return statusCode
      },
    ],
    [
      'sendSigned',
      async (own, url) => {
        const request = sendSigned(httpRequest(`${url}/a`, { method: 'POST' }), undefined, own)
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        response.resume()
        return response.statusCode
      },
    ],
  ])('%s', async (_name, post) => {
    const { app } = await replicas(1)
    const twice = async (nonce?: boolean) => [await post(options(nonce), app.url), await post(options(nonce), app.url)]
    expect(await twice(true)).toEqual([200, 200])
    expect(await twice(false)).toEqual([200, 401])
    app.clock.advance(1000)
    expect(await twice()).toEqual([200, 401])
  })
})
