import { IncomingMessage, type RequestListener, request as send } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { serve } from '../../../test/support/http-server.js'
import { stripAuthorization } from '../src/strip-authorization.js'

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

test.each(Object.entries(reads))(
  'removes the credential from all three places when %s was read before',
  async (_what, read) => {
    await parsed(SENT, (request) => {
      read(request)
      stripAuthorization(request)
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

test('[mcp-header-removed] removes every line, in any case and at any place', async () => {
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
    stripAuthorization(request)
    expect(JSON.stringify([request.rawHeaders, request.headers, request.headersDistinct])).not.toMatch(/bearer|auth/i)
    expect(request.headers.x).toBe('1')
  })
})

test('keeps what an earlier middleware changed', async () => {
  await parsed(SENT, (request) => {
    request.headers['x-first'] = 'changed'
    delete request.headers['x-two']
    stripAuthorization(request)
    expect([request.headers['x-first'], request.headers['x-two'], request.headers.authorization]).toEqual([
      'changed',
      undefined,
      undefined,
    ])
  })
})

test('removes it where Node has left header lines unread', async () => {
  await parsed(
    SENT,
    (request) => {
      stripAuthorization(request)
      expect(request.headers.authorization).toBeUndefined()
      expect(request.headersDistinct.authorization).toBeUndefined()
      expect(request.rawHeaders.map((text) => text.toLowerCase())).not.toContain('authorization')
    },
    4,
  )
})

test('removes it from headers that an adapter put in place of Node’s', () => {
  const request = new IncomingMessage(new Socket())
  const own = { authorization: 'Bearer secret', x: '1' }
  Object.defineProperty(request, 'headers', { value: own })
  request.rawHeaders = ['Authorization', 'Bearer secret', 'X', '1']
  stripAuthorization(request)
  expect(own).toEqual({ x: '1' })
  expect(request.rawHeaders).toEqual(['X', '1'])
  expect(request.headersDistinct.authorization).toBeUndefined()
})

test('removes it from what a prototype between the request and Node keeps', async () => {
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
    stripAuthorization(request)
    expect(request.headersDistinct.authorization).toBeUndefined()
  })
})

test('removes it from headers that the prototype of the app has', async () => {
  await parsed(SENT, (request) => {
    const own = { authorization: 'Bearer secret', x: '1' }
    Object.setPrototypeOf(request, Object.create(IncomingMessage.prototype, { headers: { get: () => own } }))
    stripAuthorization(request)
    expect(own).toEqual({ x: '1' })
    expect(request.headersDistinct.authorization).toBeUndefined()
  })
})

test('removes it when rawHeaders is another array at each read', async () => {
  await parsed(SENT, (request) => {
    const lines = [...request.rawHeaders]
    Object.defineProperty(request, 'rawHeaders', { get: () => [...lines] })
    stripAuthorization(request)
    expect(request.headers.authorization).toBeUndefined()
    expect(request.headersDistinct.authorization).toBeUndefined()
  })
})

test('removes it from headers that were assigned, without raw lines', () => {
  const request = new IncomingMessage(new Socket())
  request.headers = { authorization: 'Bearer secret', x: '1' }
  stripAuthorization(request)
  expect(request.headers).toEqual({ x: '1' })
  expect(request.headersDistinct.authorization).toBeUndefined()
})

test.each<[string, object | undefined, object | undefined]>([
  ['made itself', { authorization: ['Bearer secret'], x: ['1'] }, { x: ['1'] }],
  ['left out', undefined, undefined],
])('removes it from a headersDistinct that an adapter without raw lines has %s', (_what, own, left) => {
  const request = new IncomingMessage(new Socket())
  request.headers = { authorization: 'Bearer secret', x: '1' }
  Object.defineProperty(request, 'headersDistinct', { value: own })
  stripAuthorization(request)
  expect([request.headers, request.headersDistinct]).toEqual([{ x: '1' }, left])
})

test('[mcp-header-removed] removes it and nothing else, whatever fields there are and whatever was read', () => {
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
    // As long as the one that is removed.
    'X-Correlation',
  )
  const lines = fc.array(fc.tuple(name, fc.constantFrom('1', '2', '')), { maxLength: 8 }).map((pairs) => pairs.flat())
  fc.assert(
    fc.property(lines, fc.constantFrom(...Object.values(reads)), (raw, read) => {
      const make = (sent: readonly string[]) => {
        const request = new IncomingMessage(new Socket())
        ;(request as unknown as Lines)._addHeaderLines([...sent], sent.length)
        return request
      }
      const request = make(raw)
      if (!nodeChokes() || !raw.some((text) => text in {})) read(request)
      stripAuthorization(request)
      const kept = raw.filter((_text, index) => raw[index - (index % 2)]?.toLowerCase() !== 'authorization')
      const expected = make(kept)
      expect(request.rawHeaders).toEqual(kept)
      expect(request.headers).toEqual(expected.headers)
      const distinct = new Map<string, string[]>()
      for (let index = 0; index < kept.length; index += 2) {
        const key = (kept[index] as string).toLowerCase()
        distinct.set(key, [...(distinct.get(key) ?? []), kept[index + 1] as string])
      }
      if (!nodeChokes() || kept.length < raw.length) {
        expect(Object.entries(request.headersDistinct).sort()).toEqual([...distinct].sort())
      }
    }),
  )
})

test('removes it once more from a request that got it back', async () => {
  await parsed(SENT, (request) => {
    stripAuthorization(request)
    request.headersDistinct = { authorization: ['Bearer secret'] }
    request.rawHeaders.push('Authorization', 'Bearer secret')
    stripAuthorization(request)
    expect(request.rawHeaders).toEqual(SENT.toSpliced(2, 2))
    expect(request.headersDistinct.authorization).toBeUndefined()
  })
})

test('headersDistinct can be read and set as before', async () => {
  await parsed(SENT, (request) => {
    stripAuthorization(request)
    stripAuthorization(request)
    const { headersDistinct } = request
    expect(request.headersDistinct).toBe(headersDistinct)
    request.headersDistinct = { x: ['1'] }
    expect(request.headersDistinct).toEqual({ x: ['1'] })
  })
})
