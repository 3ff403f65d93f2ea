import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { leakGuard } from '@countersign/settings-session'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Express, type Response } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { FORMS, TOKEN } from './support/leaked-forms.js'
import { until } from './support/until.js'

const PROBLEM = '{"type":"about:blank","title":"Internal Server Error","status":500}'

type Handler = (response: Response) => unknown
/** What a handler does, where its leak is, and how it is asked. */
type Row = readonly [name: string, handle: Handler, where?: string, method?: string]
const inTurn =
  (...steps: readonly Handler[]): Handler =>
  (response) =>
    steps.map((step) => step(response))
const named = ([name, handle, where = '', method = 'GET']: Row) => ({ name, handle, where, method })
const withMessage = (response: Response, statusMessage: string) => Object.assign(response, { statusMessage })

let app: Express
let server: RunningServer
let events: ReturnType<typeof recordedAudit>['events']
let guardless: RunningServer
let handler: Handler

/** The same app twice: behind the guard, and without it. */
beforeEach(async () => {
  const recorded = recordedAudit()
  events = recorded.events
  const make = (guard: boolean) => {
    const made = express().disable('x-powered-by').disable('etag')
    if (guard) made.use(leakGuard({ audit: recorded.audit, route: '/agent' }))
    return made.use((_request, response) => void handler(response))
  }
  app = make(true)
  server = await serve(app)
  guardless = await serve(make(false))
})
afterEach(async () => {
  await server.close()
  await guardless.close()
})

interface Answer {
  readonly status: number | undefined
  readonly message: string | undefined
  readonly headers: Record<string, unknown>
  readonly trailers: Record<string, unknown>
  readonly hints: unknown[]
  readonly body: string
  readonly isWhole: boolean
}

async function ask(url: string, method = 'GET'): Promise<Answer> {
  const request = httpRequest(url, { method, agent: false }).end()
  const hints: unknown[] = []
  request.on('information', ({ headers }) => void hints.push(headers))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let body = ''
  try {
    for await (const chunk of response) body += chunk
  } catch {
    // Cut.
  }
  const { statusCode, statusMessage, headers, trailers, complete } = response
  return { status: statusCode, message: statusMessage, headers, trailers, hints, body, isWhole: complete }
}

const stopped = () => events.map(({ type, attributes }) => [type, attributes?.where])

describe('[settings-leak] behind leakGuard', () => {
  const SAME: readonly Row[] = [
    ['JSON', (response) => response.json({ receipt: 'ü', tag: '0'.repeat(17) })],
    ['bytes', (response) => response.type('bin').send(Buffer.from([0, 255, 128, 10]))],
    ['nothing', (response) => response.end()],
    ['writeHead', (response) => response.writeHead(201, 'Made', { 'x-a': '1', 'Content-Length': '4' }).end('made')],
    ['writeHead with a list', (response) => response.writeHead(200, ['x-a', '1', 'X-a', '2']).end('made')],
    ['writeHead after setHeader', (response) => response.set('x-a', '0').writeHead(200, { 'x-a': '1' }).end('made')],
    [
      'chunks in encodings',
      inTurn(
        (response) => response.write('bGw=', 'base64'),
        (response) => response.write('é', 'latin1'),
        (response) => response.end('ö'),
      ),
    ],
    [
      'a body that ends like a token begins',
      inTurn(
        (response) => response.write('all'),
        (response) => response.end(' l1.0'),
      ),
    ],
    [
      'a length that the app sets',
      inTurn(
        (response) => response.set('Content-Length', '6').write('all'),
        (response) => response.end(' l1'),
      ),
    ],
    [
      'flushed headers',
      inTurn(
        (response) => response.set('x-a', '1').flushHeaders(),
        (response) => response.end('late'),
      ),
    ],
    [
      'an empty chunk',
      inTurn(
        (response) => response.write(''),
        (response) => response.end('late'),
      ),
    ],
    ['HEAD', (response) => response.json({ some: 'thing' }), '', 'HEAD'],
    [
      'HEAD with a body',
      inTurn(
        (response) => response.write('some'),
        (response) => response.end('thing'),
      ),
      '',
      'HEAD',
    ],
    ['204', (response) => response.status(204).end('ignored')],
    [
      '304',
      inTurn(
        (response) => response.status(304).write('ignored'),
        (response) => response.end(),
      ),
    ],
    ['a stream', (response) => Readable.from(['a l', '1.', 'b', Buffer.from('c')]).pipe(response)],
    [
      'trailers',
      inTurn(
        (response) => response.set('Trailer', 'x-sum').write('a'),
        (response) => response.addTrailers({ 'x-sum': '7' }),
        (response) => response.end(),
      ),
    ],
    ['early hints', (response) => response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('a'))],
    ['a status message', (response) => withMessage(response, 'Fine').end('a')],
    ['cookies', (response) => response.cookie('a', '1').cookie('b', '2').redirect('/elsewhere')],
    ['what the app sets too late', (response) => response.writeHead(200).status(404).end('a')],
  ]
  test.each(SAME.map(named))('an answer is the same: $name', async ({ handle, method }) => {
    handler = handle
    const [guarded, plain] = [await ask(server.url, method), await ask(guardless.url, method)]
    const { date: _a, 'keep-alive': _b, ...headers } = guarded.headers
    expect({ ...guarded, headers: { ...headers, date: plain.headers.date } }).toMatchObject({
      ...plain,
      // What was held to the end is sent with it: its length is known then.
      headers: 'transfer-encoding' in plain.headers ? { date: plain.headers.date } : plain.headers,
    })
    expect(guarded.isWhole).toBe(true)
    expect(events).toEqual([])
  })

  test('headersSent, and the errors of what comes too late, are those of Node', async () => {
    const seen: unknown[][] = []
    handler = (response) => {
      const look: unknown[] = []
      const attempt = (change: () => unknown) => {
        try {
          change()
          look.push('done')
        } catch (error) {
          look.push((error as NodeJS.ErrnoException).code, (error as Error).message)
        }
      }
      attempt(() => response.writeHead(42))
      attempt(() => response.writeHead(200, { 'x a': '1' }))
      attempt(() => response.writeHead(200, { 'x-a': 'ü\n' }))
      attempt(() => response.writeHead(200, 'No\n'))
      // Node keeps the message that it refused.
      withMessage(response, '')
      attempt(() => response.write(null))
      attempt(() => response.write(7))
      look.push(response.headersSent)
      response.writeHead(202, { 'x-a': '1' })
      look.push(response.headersSent, response.statusCode, response.statusMessage)
      attempt(() => response.writeHead(200))
      attempt(() => response.setHeader('x-b', '1'))
      attempt(() => response.appendHeader('x-b', '1'))
      attempt(() => response.removeHeader('x-a'))
      attempt(() => response.setHeaders(new Map([['x-b', '1']])))
      response.end('done')
      look.push(response.headersSent, response.writableEnded)
      attempt(() => response.setHeader('x-b', '1'))
      seen.push(look)
    }
    expect([(await ask(server.url)).body, (await ask(guardless.url)).body]).toEqual(['done', 'done'])
    expect(seen[0]).toEqual(seen[1])
  })

  test('callbacks are called, for what is held, too', async () => {
    const called: string[] = []
    handler = (response) => {
      response.write('a', () => {
        called.push('a')
        // All of it may be the beginning of a token.
        response.write('l', () => {
          called.push('l')
          response.end('ast', () => called.push('end'))
        })
      })
    }
    expect((await ask(server.url)).body).toBe('alast')
    await until(
      () => called.length,
      (length) => length === 3,
    )
    expect(called).toEqual(['a', 'l', 'end'])
  })

  test('a writer is told to wait while the client reads slowly, and when to continue', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let written = 0
    handler = (response) => {
      while (written < 640 && response.write(chunk)) written += 1
      response.once('drain', () => response.end())
    }
    const response = await fetch(server.url)
    expect((await response.arrayBuffer()).byteLength).toBe((written + 1) * chunk.length)
    expect(written).toBeLessThan(64)
  })

  test('each part of a stream comes when it is written, but what may be the beginning of a token', async () => {
    let response: Response | undefined
    handler = (given) => {
      response = given
      given.type('text/event-stream').flushHeaders()
    }
    const answer = await fetch(server.url)
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    const parts = ['data: {"progress":1}\n\n', '{"progress":2}\n', 'The end', ' of all', 'l']
    const expected = ['data: {"progress":1}\n\n', '{"progress":2}\n', 'The en', 'd of al', 'll']
    for (const [index, part] of parts.entries()) {
      response?.write(part)
      if (index === parts.length - 1) response?.end()
      let text = ''
      while (text.length < (expected[index] as string).length)
        text += Buffer.from((await reader.read()).value ?? []).toString()
      expect(text).toBe(expected[index])
    }
    expect((await reader.read()).done).toBe(true)
  })
})

const linesOf = (text: string) => Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\n')

describe('[settings-leak] leakGuard makes a 500 without detail of', () => {
  const LEAKS: readonly Row[] = [
    ['JSON', (response) => response.set('x-own', '1').json({ deep: [{ url: TOKEN }] }), 'body'],
    [
      'a body in two parts',
      inTurn(
        (response) => response.write(TOKEN.slice(0, 50)),
        (response) => response.end(TOKEN.slice(50)),
      ),
      'body',
    ],
    ['bytes', (response) => response.end(Buffer.from(TOKEN)), 'body'],
    ['base64 that is decoded', (response) => response.end(Buffer.from(TOKEN).toString('base64'), 'base64'), 'body'],
    ['UTF-16', (response) => response.end(TOKEN, 'utf16le'), 'body'],
    ['a body after writeHead', (response) => response.writeHead(200, 'Fine', { 'x-own': '1' }).end(TOKEN), 'body'],
    ['a number at the end that has no semicolon', (response) => response.end(`${TOKEN.slice(0, -1)}&#107`), 'body'],
    ['a body for HEAD', (response) => response.end(TOKEN), 'body', 'HEAD'],
    ['a header', (response) => response.set('location', TOKEN).status(303).end(), 'header'],
    ['a header of several', (response) => response.set('link', ['<a>', `<${TOKEN}>`]).end(), 'header'],
    ['a header in percent', (response) => response.set('location', FORMS.percent?.(TOKEN)).end(), 'header'],
    ['a cookie', (response) => response.cookie('a', TOKEN).end('x'), 'header'],
    ['writeHead', (response) => response.writeHead(200, { 'x-own': '1', 'x-link': TOKEN }).end('x'), 'header'],
    [
      'writeHead with a list',
      (response) => response.writeHead(200, ['x-own', '1', 'x-link', TOKEN]).end('x'),
      'header',
    ],
    [
      'flushed headers',
      inTurn(
        (response) => response.set('x-link', TOKEN).flushHeaders(),
        (response) => response.end('x'),
      ),
      'header',
    ],
    ['the status message', (response) => withMessage(response, TOKEN).end('x'), 'header'],
    ['the reason of writeHead', (response) => response.writeHead(200, TOKEN).end('x'), 'header'],
    [
      'early hints',
      inTurn(
        (response) => response.writeEarlyHints({ link: `<${TOKEN}>` }),
        (response) => response.end('x'),
      ),
      'header',
    ],
    [
      'trailers',
      inTurn(
        (response) => response.addTrailers({ 'x-sum': TOKEN }),
        (response) => response.end('x'),
      ),
      'header',
    ],
    [
      'trailers of objects',
      inTurn(
        (response) => response.addTrailers({ 'x-sum': { toString: () => TOKEN } as never }),
        (response) => response.end('x'),
      ),
      'header',
    ],
    ['base64 in lines', (response) => response.end(linesOf(`${'a'.repeat(55)}${TOKEN}`)), 'body'],
    ['what is compressed already', (response) => response.set('content-encoding', 'gzip').end('x'), 'encoded'],
  ]
  test.each(LEAKS.map(named))('$name', async ({ handle, where, method }) => {
    handler = handle
    const { status, message, headers, body, hints, isWhole } = await ask(server.url, method)
    expect([status, message, body]).toEqual([500, 'Internal Server Error', method === 'HEAD' ? '' : PROBLEM])
    expect([headers['x-own'], headers['x-link'], headers.location, headers['set-cookie'], hints]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      [],
    ])
    expect([headers['content-type'], isWhole]).toEqual(['application/problem+json; charset=utf-8', true])
    expect(stopped()).toEqual([['settings.leak.stopped', where]])
    expect(events[0]).toMatchObject({ http: { status: 500, route: '/agent' } })
    expect(JSON.stringify(events)).not.toContain('l1.')
  })
})

test('[settings-leak] leakGuard knows its options', () => {
  expect(() => leakGuard({ rout: '/' } as never)).toThrow('Did you mean "route"')
})
