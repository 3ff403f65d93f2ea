import { IncomingMessage, type RequestListener, request as send } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { serve } from '../../../test/support/http-server.js'
import { keptHeaders } from '../src/gate/kept-headers.js'
import { stripAuthorization } from '../src/gate/strip-header.js'

const ways = [
  ['leaving unmade what Node has not made', keptHeaders],
  ['making everything', null],
] as const

/** A request as Node's own parser makes it. */
async function parsed(headers: readonly string[], look: (request: IncomingMessage) => void, max?: number) {
  const listener: RequestListener = (request, response) => {
    try {
      look(request)
      response.end()
    } catch (error) {
      response.writeHead(500).end(String(error))
    }
  }
  const running = await serve(listener)
  if (max !== undefined) running.server.maxHeadersCount = max
  const text = await new Promise<string>((resolve, reject) => {
    const outgoing = send({ port: running.port, agent: false, headers: headers as never }, async (response) => {
      resolve((await response.toArray()).join(''))
    })
    outgoing.on('error', reject).end()
  })
  await running.close()
  expect(text).toBe('')
}

interface Lines {
  _addHeaderLines(lines: string[], count: number): void
}

const SENT = [
  'X-First',
  '1',
  'Authorization',
  'Bearer secret',
  'X-Two',
  'a',
  'X-Two',
  'b',
  'Host',
  'here',
  'Connection',
  'close',
]

const reads = {
  nothing: () => undefined,
  headers: (request: IncomingMessage) => void request.headers,
  headersDistinct: (request: IncomingMessage) => void request.headersDistinct,
  both: (request: IncomingMessage) => void [request.headers, request.headersDistinct],
}

/** Older releases choke on a field that is called as something that every object inherits. */
function nodeChokes(): boolean {
  const request = new IncomingMessage(new Socket())
  ;(request as unknown as Lines)._addHeaderLines(['__proto__', '1'], 2)
  try {
    return request.headersDistinct === undefined
  } catch {
    return true
  }
}

test('where Node keeps its headers is found, on every Node that makes them of whatever fields there are', () => {
  expect(keptHeaders === null).toBe(nodeChokes())
})

describe.each(ways)('%s', (_way, kept) => {
  test.each(Object.entries(reads))(
    'takes the credential out of all three places when %s was read before',
    async (_what, read) => {
      await parsed(SENT, (request) => {
        read(request)
        stripAuthorization(request, kept)
        expect(request.rawHeaders).toEqual(SENT.toSpliced(2, 2))
        expect(request.headers).toEqual({ 'x-first': '1', 'x-two': 'a, b', host: 'here', connection: 'close' })
        expect({ ...request.headersDistinct }).toEqual({
          'x-first': ['1'],
          'x-two': ['a', 'b'],
          host: ['here'],
          connection: ['close'],
        })
      })
    },
  )

  test('takes out every line, however it is spelled, wherever it stands', async () => {
    const lines = [
      'AUTHORIZATION',
      'Bearer 1',
      'Host',
      'here',
      'authorization',
      'Bearer 2',
      'X',
      '1',
      'Authorization',
      'Bearer 3',
    ]
    await parsed(lines, (request) => {
      stripAuthorization(request, kept)
      expect(JSON.stringify([request.rawHeaders, request.headers, request.headersDistinct])).not.toMatch(/bearer|auth/i)
      expect(request.headers.x).toBe('1')
    })
  })

  test('keeps what an earlier middleware changed', async () => {
    await parsed(SENT, (request) => {
      request.headers['x-first'] = 'changed'
      delete request.headers['x-two']
      stripAuthorization(request, kept)
      expect([request.headers['x-first'], request.headers['x-two'], request.headers.authorization]).toEqual([
        'changed',
        undefined,
        undefined,
      ])
    })
  })

  test('takes it out where Node has left header lines unread', async () => {
    await parsed(
      SENT,
      (request) => {
        stripAuthorization(request, kept)
        expect(request.headers.authorization).toBeUndefined()
        expect(request.headersDistinct.authorization).toBeUndefined()
        expect(request.rawHeaders.map((text) => text.toLowerCase())).not.toContain('authorization')
      },
      4,
    )
  })

  test('takes it out of headers that an adapter has put in the place of Node’s', () => {
    const request = new IncomingMessage(new Socket())
    const own = { authorization: 'Bearer secret', x: '1' }
    Object.defineProperty(request, 'headers', { value: own })
    request.rawHeaders = ['Authorization', 'Bearer secret', 'X', '1']
    stripAuthorization(request, kept)
    expect(own).toEqual({ x: '1' })
    expect(request.rawHeaders).toEqual(['X', '1'])
    expect(request.headersDistinct.authorization).toBeUndefined()
  })

  test('takes it out of what a prototype between the request and Node keeps', async () => {
    await parsed(SENT, (request) => {
      const seen = new WeakMap<object, IncomingMessage['headersDistinct']>()
      const own = Object.create(IncomingMessage.prototype, {
        headersDistinct: {
          get(this: IncomingMessage) {
            const made = seen.get(this) ?? { authorization: ['Bearer secret'], x: ['1'] }
            seen.set(this, made)
            return made
          },
          set(this: IncomingMessage, value: IncomingMessage['headersDistinct']) {
            seen.set(this, value)
          },
        },
      })
      Object.setPrototypeOf(request, Object.create(own))
      expect(request.headersDistinct.authorization).toBeDefined()
      stripAuthorization(request, kept)
      expect(request.headersDistinct.authorization).toBeUndefined()
    })
  })

  test('takes it out of headers that the prototype of the app gives', async () => {
    await parsed(SENT, (request) => {
      const own = { authorization: 'Bearer secret', x: '1' }
      Object.setPrototypeOf(request, Object.create(IncomingMessage.prototype, { headers: { get: () => own } }))
      stripAuthorization(request, kept)
      expect(own).toEqual({ x: '1' })
      expect(request.headersDistinct.authorization).toBeUndefined()
    })
  })

  test('does not trust lines that are others each time', async () => {
    await parsed(SENT, (request) => {
      const lines = [...request.rawHeaders]
      Object.defineProperty(request, 'rawHeaders', { get: () => [...lines] })
      stripAuthorization(request, kept)
      expect(request.headers.authorization).toBeUndefined()
      expect(request.headersDistinct.authorization).toBeUndefined()
    })
  })

  test('takes it out of headers that were assigned, with raw lines or without', () => {
    const request = new IncomingMessage(new Socket())
    request.headers = { authorization: 'Bearer secret', x: '1' }
    stripAuthorization(request, kept)
    expect(request.headers).toEqual({ x: '1' })
    expect(request.headersDistinct.authorization).toBeUndefined()
  })
})

test('both ways leave the same, whatever fields there are and whatever was read', () => {
  const name = fc.constantFrom(
    'Authorization',
    'authorization',
    'Cookie',
    'Set-Cookie',
    'X-A',
    'x-a',
    'Host',
    '__proto__',
    'constructor',
  )
  const lines = fc.array(fc.tuple(name, fc.constantFrom('1', '2', '')), { maxLength: 8 }).map((pairs) => pairs.flat())
  fc.assert(
    fc.property(lines, fc.constantFrom(...Object.values(reads)), (raw, read) => {
      const left = ways.map(([, kept]) => {
        const request = new IncomingMessage(new Socket())
        ;(request as unknown as Lines)._addHeaderLines([...raw], raw.length)
        if (!nodeChokes() || !raw.some((name) => name in {})) read(request)
        stripAuthorization(request, kept)
        const { rawHeaders, headers } = request
        return [rawHeaders, headers, Object.entries(request.headersDistinct)]
      })
      expect(left[0]).toEqual(left[1])
      expect(JSON.stringify(left)).not.toMatch(/authorization/i)
    }),
  )
})
