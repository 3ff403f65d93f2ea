import { EventEmitter, once } from 'node:events'
import { format, inspect } from 'node:util'
import {
  type AgentSafe,
  createSettingsSessions,
  type LinkReceipt,
  leakGuard,
  parseReceipt,
  type SensitiveLink,
  SensitiveUrl,
  wrapUrl,
} from '@countersign/settings-session'
import { describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'

const LINK = `https://app.example.com/settings?s=l1.0${'A'.repeat(16)}.${'B'.repeat(43)}`
const SESSION = `s1.f${'A'.repeat(16)}.${'B'.repeat(43)}`

describe('[settings-leak] a SensitiveUrl', () => {
  const url = new SensitiveUrl(LINK)

  test('is redacted wherever a value becomes text or is copied', () => {
    const error = Object.assign(new Error(`failed for ${url}`), { url })
    const seen = [
      String(url),
      `${url}`,
      `${url as unknown as string}x`,
      JSON.stringify({ url }),
      inspect(url, { showHidden: true, depth: 10 }),
      inspect({ deep: { url } }, { customInspect: false, showHidden: true, depth: 10 }),
      format('%s %o %j', url, url, url),
      inspect(structuredClone({ url: { ...url } })),
      JSON.stringify({ ...url }),
      Object.entries(url).join(),
      inspect(error),
      Object.prototype.toString.call(url),
    ]
    for (const text of seen) expect(text).not.toContain('l1.')
    expect(String(url)).toBe('[SensitiveUrl]')
    expect(() => structuredClone(url)).not.toThrow()
    expect(inspect(structuredClone(url))).not.toContain('l1.')
  })

  test('is not in the error for a text that is not a URL, nor in that of wrapUrl', () => {
    const broken = 'https//provider.example.com/authorize?state=secret'
    for (const make of [() => new SensitiveUrl(broken), () => wrapUrl('oauth', broken, new Date(0))]) {
      let error: unknown
      try {
        make()
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_COUNTERSIGN_SENSITIVE_URL' })
      expect(inspect(error, { showHidden: true })).not.toContain('state=secret')
    }
  })

  test('is revealed for its one purpose alone', () => {
    expect(url.reveal('deliver-to-user')).toBe(LINK)
    expect(() => (url.reveal as (purpose?: string) => string)('log')).toThrow()
    expect(() => url.reveal('anything' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_SENSITIVE_URL' }),
    )
  })
})

test('[settings-leak] deliver returns the same four fields, whatever happened, and drops the error', async () => {
  const { audit, events } = recordedAudit()
  const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings', audit })
  const link = await settings.issueLink({ platform: 'slack', userId: 'u1' })
  const failing = await settings.deliver(link, (url) => {
    throw new Error(`could not send ${url.reveal('deliver-to-user')}`)
  })
  const sent = await settings.deliver(link, async (url) => url.reveal('deliver-to-user'))
  const { linkId, expiresAt } = link.receipt
  expect(failing).toEqual({ type: 'settings_link', linkId, expiresAt, delivered: false })
  expect(sent).toEqual({ type: 'settings_link', linkId, expiresAt, delivered: true })
  expect(Object.isFrozen(sent)).toBe(true)
  expect(JSON.stringify([link, events, { ...link }])).not.toMatch(/l1\./)
  expect(inspect([link, events], { depth: 10, showHidden: true })).not.toMatch(/l1\./)
  const delivered = events.filter(({ type }) => type === 'settings.link.delivered')
  expect(delivered.map(({ outcome }) => outcome)).toEqual(['failure', 'success'])
})

test('[settings-leak] parseReceipt is strict', async () => {
  const link = wrapUrl('authorization', 'https://id.example.com/authorize?x=1', new Date(Date.UTC(2026, 0, 1)))
  const { receipt } = link
  expect(receipt.type).toBe('authorization_link')
  expect(parseReceipt(JSON.stringify(receipt))).toEqual(receipt)
  expect(parseReceipt(JSON.parse(JSON.stringify(receipt)), 'authorization')).toEqual(receipt)
  expect(parseReceipt(receipt, 'settings')).toBeUndefined()
  const wrong: unknown[] = [
    undefined,
    null,
    '',
    '{',
    '[]',
    7,
    { ...receipt, url: LINK },
    { ...receipt, delivered: 'true' },
    { ...receipt, linkId: LINK },
    { ...receipt, expiresAt: 'tomorrow' },
    { ...receipt, type: 'Settings_link' },
    'x'.repeat(5000),
  ]
  for (const value of wrong) expect(parseReceipt(value)).toBeUndefined()
  expect(() => wrapUrl('Not a word', LINK, new Date())).toThrow('"kind"')
})

test('[settings-leak] a response type that holds a SensitiveUrl does not compile', () => {
  const accept = <T>(value: AgentSafe<T>): unknown => value
  type Receipt = LinkReceipt<'settings'>
  const receipt = { type: 'settings_link', linkId: 'x', expiresAt: 'y', delivered: true } satisfies Receipt
  const url = new SensitiveUrl(LINK)
  accept<Receipt>(receipt)
  accept<{ receipt: Receipt; notes: string[]; at: Date }>({ receipt, notes: [], at: new Date(0) })
  // @ts-expect-error a link
  accept<SensitiveUrl>(url)
  // @ts-expect-error a link in a member
  accept<{ ok: true; url: SensitiveUrl }>({ ok: true, url })
  // @ts-expect-error a link that may be there
  accept<{ url?: SensitiveUrl | undefined }>({ url })
  // @ts-expect-error a link in one case of several
  accept<{ kind: 'a' } | { kind: 'b'; urls: SensitiveUrl[] }>({ kind: 'b', urls: [url] })
  // @ts-expect-error a link deep down
  accept<{ a: { b: readonly { c: SensitiveUrl }[] } }>({ a: { b: [{ c: url }] } })
  // @ts-expect-error what issueLink returns
  accept<SensitiveLink<'settings'>>({} as SensitiveLink<'settings'>)
  // @ts-expect-error a string is no SensitiveUrl
  const forged: SensitiveUrl = LINK
  expect(forged).toBe(LINK)
})

describe('[settings-leak] leakGuard', () => {
  async function guarded(mount: (app: Express) => void, options: Parameters<typeof leakGuard>[0] = {}) {
    const { audit, events } = recordedAudit()
    const app = express()
    app.use(leakGuard({ audit, route: '/agent', ...options }))
    mount(app)
    const server = await serve(app)
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(server.url + path, init)
      const text = await response.text().catch((error: Error) => `cut: ${error.message}`)
      return { status: response.status, text, headers: response.headers }
    }
    return { ...server, get, events }
  }

  test('passes clean answers unchanged', async () => {
    const app = await guarded((host) => {
      host.get('/json', (_request, response) => void response.json({ receipt: 'ü', tag: '0'.repeat(17) }))
      host.get('/bytes', (_request, response) => void response.type('bin').send(Buffer.from([0, 255, 128, 10])))
      host.get('/head', (_request, response) => void response.writeHead(201, 'Made', { 'x-a': '1' }).end('made'))
      host.get('/empty', (_request, response) => void response.status(204).end())
      host.get('/chunks', (_request, response) => {
        response.write('a', () => response.write(Buffer.from('b'), () => response.end('c')))
      })
    })
    expect((await app.get('/json')).text).toBe('{"receipt":"ü","tag":"00000000000000000"}')
    const bytes = await fetch(`${app.url}/bytes`)
    expect([...new Uint8Array(await bytes.arrayBuffer())]).toEqual([0, 255, 128, 10])
    const head = await app.get('/head')
    expect([head.status, head.text, head.headers.get('x-a')]).toEqual([201, 'made', '1'])
    expect((await app.get('/empty')).status).toBe(204)
    expect((await app.get('/chunks')).text).toBe('abc')
    expect((await app.get('/json', { method: 'HEAD' })).status).toBe(200)
    expect(app.events).toEqual([])
    await app.close()
  })

  test('turns an answer with a token into a 500 without detail, and reports it', async () => {
    const app = await guarded((host) => {
      host.get('/json', (_request, response) => void response.set('x-own', '1').json({ deep: [{ url: LINK }] }))
      host.get('/split', (_request, response) => {
        response.write(LINK.slice(0, 50))
        response.end(LINK.slice(50))
      })
      host.get('/session', (_request, response) => void response.end(Buffer.from(SESSION)))
      host.get('/header', (_request, response) => void response.set('location', LINK).status(303).end())
      host.get('/cookie', (_request, response) => void response.cookie('a', SESSION).end('x'))
      host.get('/head', (_request, response) => void response.writeHead(200, { 'x-link': LINK }).end('x'))
    })
    for (const path of ['/json', '/split', '/session', '/header', '/cookie', '/head']) {
      const { status, text, headers } = await app.get(path, { redirect: 'manual' })
      expect([path, status, text]).toEqual([
        path,
        500,
        '{"type":"about:blank","title":"Internal Server Error","status":500}',
      ])
      expect(JSON.stringify([...headers])).not.toMatch(/[ls]1\./)
      expect(headers.get('x-own')).toBeNull()
    }
    expect(app.events.map(({ type, attributes }) => [type, attributes?.where])).toEqual([
      ['settings.leak.stopped', 'body'],
      ['settings.leak.stopped', 'body'],
      ['settings.leak.stopped', 'body'],
      ['settings.leak.stopped', 'header'],
      ['settings.leak.stopped', 'header'],
      ['settings.leak.stopped', 'header'],
    ])
    await app.close()
  })

  test('passes a stream, and cuts it before a token, wherever a chunk ends', async () => {
    for (let cut = 1; cut < LINK.length; cut += 7) {
      const written = new EventEmitter()
      const app = await guarded((host) => {
        host.get('/stream', async (_request, response) => {
          response.type('text/event-stream').flushHeaders()
          response.write('data: hello\n\n')
          await once(written, 'seen')
          response.write(`data: ${LINK.slice(0, cut)}`)
          response.end(`${LINK.slice(cut)}\n\n`)
        })
      })
      const response = await fetch(`${app.url}/stream`)
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      let text = Buffer.from((await reader.read()).value as Uint8Array).toString()
      expect(text).toBe('data: hello\n\n')
      written.emit('seen')
      try {
        for (let next = await reader.read(); !next.done; next = await reader.read())
          text += Buffer.from(next.value).toString()
        text += 'ended'
      } catch {
        text += 'cut'
      }
      expect(text).not.toContain('l1.')
      expect(text).toMatch(/cut$/)
      expect(app.events.map(({ type }) => type)).toEqual(['settings.leak.stopped'])
      await app.close()
    }
  })

  test('tells a writer to wait while the client reads slowly, and when to continue', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let written = 0
    const app = await guarded(
      (host) => {
        host.get('/slow', (_request, response) => {
          while (written < 640 && response.write(chunk)) written += 1
          response.once('drain', () => response.end())
        })
      },
      { maxHeldBytes: 1000 },
    )
    const response = await fetch(`${app.url}/slow`)
    expect((await response.arrayBuffer()).byteLength).toBe((written + 1) * chunk.length)
    expect(written).toBeLessThan(64)
    await app.close()
  })

  test('holds a large body up to maxHeldBytes', async () => {
    const app = await guarded(
      (host) => {
        host.get('/large', (_request, response) => void response.end('x'.repeat(5000)))
        host.get('/late', (_request, response) => {
          for (let count = 0; count < 100; count += 1) response.write('y'.repeat(100))
          response.end(LINK)
        })
      },
      { maxHeldBytes: 1000 },
    )
    expect((await app.get('/large')).text).toHaveLength(5000)
    // Cut so early that the client may see no answer at all.
    const late = await app.get('/late').catch((error: Error) => ({ text: `cut: ${error.message}` }))
    expect(late.text).toMatch(/^cut/)
    await app.close()
    expect(() => leakGuard({ maxHeldByte: 1 } as never)).toThrow('Did you mean "maxHeldBytes"')
  })
})
