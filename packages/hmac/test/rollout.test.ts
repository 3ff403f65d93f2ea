import { memorySecrets, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const legacy = { headers: ['x-service-key', 'authorization'], keys: { scheduler: ['old-key', 'older-key'] } }
let app: Harness
afterEach(() => app?.close())

describe('the old key', () => {
  test('is accepted next to signatures, and the event names who still uses it', async () => {
    app = await hmacApp({ legacy })
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'older-key' })).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { authorization: 'Bearer old-key' })).status).toBe(200)
    expect(app.events[0]).toMatchObject({
      type: 'access.granted',
      principal: { kind: 'hmac', id: 'scheduler' },
      attributes: { format: 'legacy' },
    })
    expect((await send(app.port, 'POST', '/jobs?a=1', signed({ now: app.clock.now() }))).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'no-key' })).status).toBe(401)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': '' })).status).toBe(401)
  })

  test('may come in each of its headers: one key is accepted, two are 400', async () => {
    app = await hmacApp({ legacy })
    const ends = async (key: string | string[], authorization: string | string[]) => {
      const { status } = await send(app.port, 'POST', '/jobs', { 'x-service-key': key, authorization })
      return [status, app.last()]
    }
    expect(await ends('old-key', 'Bearer old-key')).toEqual([200, 'granted'])
    expect(await ends('no-key', 'Bearer no-key')).toEqual([401, 'bad_signature'])
    expect(await ends('old-key', 'Bearer older-key')).toEqual([400, 'ambiguous'])
    expect(await ends('old-key', 'Bearer no-key')).toEqual([400, 'ambiguous'])
    expect(await ends('old-key', 'Basic old-key')).toEqual([400, 'ambiguous'])
    expect(await ends('', 'Bearer old-key')).toEqual([400, 'ambiguous'])
    expect(await ends(['old-key', 'old-key'], 'Bearer old-key')).toEqual([400, 'ambiguous'])
    expect(await ends('old-key', ['Bearer old-key', 'Bearer old-key'])).toEqual([400, 'ambiguous'])
  })

  test.each([
    ['x-countersign-signature', 'junk'],
    ['x-countersign-caller', 'scheduler'],
    ['x-countersign-key-version', ''],
    ['signature', 'sig1=:AAAA:'],
    ['signature-input', ''],
  ])('[hmac-junk-beside] is 401 beside %s: %j, in either of its headers', async (name, value) => {
    app = await hmacApp({ legacy, formats: [rfc9421(), xHeaders()] })
    const goods: Record<string, string>[] = [{ 'x-service-key': 'old-key' }, { authorization: 'Bearer old-key' }]
    for (const good of goods) {
      expect((await send(app.port, 'POST', '/jobs', good)).status).toBe(200)
      const answer = await send(app.port, 'POST', '/jobs', { ...good, [name]: value })
      expect([answer.status, app.last()]).toEqual([401, 'malformed'])
    }
  })

  test('[hmac-junk-beside] is 401 beside a signature that is well-formed and wrong, and unused beside a good one', async () => {
    app = await hmacApp({ legacy })
    const good = signed({ now: app.clock.now() })
    const wrong = { ...good, 'x-countersign-signature': 'a'.repeat(64), 'x-service-key': 'old-key' }
    expect((await send(app.port, 'POST', '/jobs?a=1', wrong)).status).toBe(401)
    const both = await send(app.port, 'POST', '/jobs?a=1', { ...good, 'x-service-key': 'old-key' })
    expect(JSON.parse(both.text).principal.format).toBe('xHeaders')
  })

  test('is compared as bytes, and taken of the header that it came in', async () => {
    const keys = { scheduler: ['schlüssel-ümläut'], worker: ['Bearer plain'] }
    app = await hmacApp({ legacy: { headers: ['x-service-key'], keys } })
    const bytes = Buffer.from('schlüssel-ümläut').toString('latin1')
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': bytes })).status).toBe(200)
    const same = { 'x-service-key': 'Bearer plain', authorization: 'Bearer plain' }
    expect(JSON.parse((await send(app.port, 'POST', '/jobs', same)).text).principal.caller).toBe('worker')
  })

  test.each([
    ['another scheme', { authorization: 'Basic old-key' }],
    ['no scheme', { authorization: 'old-key' }],
    ['a space behind it', { authorization: 'Bearer old-key x' }],
    ['another case', { 'x-service-key': 'OLD-KEY' }],
    ['a part of it', { 'x-service-key': 'old-ke' }],
  ])('is refused with %s, and the event names no caller', async (_what, headers) => {
    app = await hmacApp({ legacy })
    expect((await send(app.port, 'POST', '/jobs', headers)).status).toBe(401)
    expect(app.events.at(-1)).toMatchObject({ reason: 'bad_signature', principal: { kind: 'hmac', id: 'unknown' } })
  })

  test('is counted by caller, with the moment it was last seen', async () => {
    const audit = recordedAudit().audit
    const clock = fakeClock()
    const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }], { clock, audit })
    let isEnforced = false
    const keys = { scheduler: ['old-key'], '*shared*': ['everyones-key'] }
    const gate = requireHmac({
      ...{ secrets, clock, audit, audience: AUDIENCE, formats: [xHeaders()] },
      legacy: { headers: ['x-service-key'], keys },
      enforce: () => isEnforced,
    })
    const running = await serve(express().use(gate, (_request, response) => void response.end()))
    const post = (key: string) => send(running.port, 'POST', '/jobs', { 'x-service-key': key })
    expect(gate.legacyUsage()).toEqual([])
    const started = clock.now()
    await post('old-key')
    await post('everyones-key')
    clock.advance(5000)
    isEnforced = true
    await post('old-key')
    await post('unknown-key')
    expect(gate.legacyUsage()).toEqual([
      { caller: 'scheduler', accepted: 1, refused: 1, lastSeenAt: started + 5000 },
      { caller: '*shared*', accepted: 1, refused: 0, lastSeenAt: started },
    ])
    await running.close()
  })

  test.each([
    ['true', true, 401],
    ['false', false, 200],
    ['this caller', { scheduler: true }, 401],
    ['another caller', { worker: true }, 200],
    ['a function', () => ({ scheduler: true }), 401],
    [
      'a function that throws',
      () => {
        throw new Error('no settings')
      },
      401,
    ],
    ['a function that says nothing', (() => undefined) as never, 401],
  ])('with enforce for %s', async (_what, enforce, status) => {
    app = await hmacApp({ legacy, enforce, callers: ['scheduler', 'worker'] })
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(status)
    expect(app.last()).toBe(status === 401 ? 'legacy_refused' : 'granted')
  })

  test.each<[string, () => never, object]>([
    [
      'throws',
      () => {
        throw Object.assign(new Error('the settings at s3cret'), { code: 'ECONNREFUSED' })
      },
      { error: 'Error', code: 'ECONNREFUSED', at: expect.stringContaining('rollout.test.ts') },
    ],
    // Nothing handles the rejection but the gate: it would end the process.
    ['rejects', (() => Promise.reject(new Error('s3cret'))) as () => never, { error: 'promise' }],
  ])('is refused by an enforce that %s, and the event says so', async (_what, enforce, failure) => {
    app = await hmacApp({ legacy, enforce })
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(401)
    expect(app.events.at(-1)).toMatchObject({
      reason: 'legacy_refused',
      principal: { id: 'scheduler' },
      attributes: { format: 'legacy', ...failure },
    })
    expect(JSON.stringify(app.events)).not.toContain('s3cret')
  })
})

describe('report mode', () => {
  test('lets the old key decide and says what the signature would have', async () => {
    app = await hmacApp({ legacy, reportOnly: true })
    const good = { ...signed({ now: app.clock.now() }), 'x-service-key': 'old-key' }
    const bad = { ...good, 'x-countersign-signature': 'a'.repeat(64) }
    expect((await send(app.port, 'POST', '/jobs?a=1', good)).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs?a=1', bad)).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs?a=1', signed({ now: app.clock.now() }))).status).toBe(401)
    expect(app.events.map(({ attributes }) => [attributes?.signature, attributes?.signature_caller])).toEqual([
      ['valid', 'scheduler'],
      ['bad_signature', 'scheduler'],
      ['missing', undefined],
      ['not_checked', undefined],
    ])
  })

  test('leaves a body beyond its limit whole', async () => {
    const sizes: number[] = []
    app = await hmacApp({
      legacy,
      reportOnly: true,
      maxBodyBytes: 1000,
      after: [
        async (request, _response, next) => {
          let size = 0
          for await (const chunk of request) size += (chunk as Buffer).length
          sizes.push(size)
          next()
        },
      ],
    })
    const headers = { ...signed({ now: app.clock.now() }), 'x-service-key': 'old-key', 'transfer-encoding': 'chunked' }
    expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.alloc(300_000))).status).toBe(200)
    expect(sizes).toEqual([300_000])
    expect(app.events[0]?.attributes?.signature).toBe('body_too_large')
  })

  test('without the old key cannot be configured', async () => {
    await expect(hmacApp({ reportOnly: true })).rejects.toThrow('it would grant every request')
  })
})

describe('report mode', () => {
  const reports = async (
    options: Parameters<typeof hmacApp>[0],
    headers: Record<string, string> = {},
    body?: Buffer,
  ) => {
    app = await hmacApp({ legacy, reportOnly: true, ...options })
    const answer = await send(
      app.port,
      'POST',
      '/jobs?a=1',
      {
        ...signed({ now: app.clock.now(), body: 'hello' }),
        'x-service-key': 'old-key',
        ...headers,
      },
      body,
    )
    return [answer.status, app.events.map(({ attributes }) => attributes?.signature)]
  }

  test('lets a request through while a store is down, and says so', async () => {
    const replay = { claim: () => Promise.reject(new Error('down')) }
    expect(await reports({ replay }, {}, Buffer.from('hello'))).toEqual([200, ['replay_store']])
  })

  test('says that a parser has read the body, which would be 500 once signatures decide', async () => {
    app = await hmacApp()
    const { secrets, clock } = app
    const { audit, events } = recordedAudit()
    const gate = requireHmac({
      secrets,
      clock,
      audit,
      audience: AUDIENCE,
      formats: [xHeaders()],
      legacy,
      reportOnly: true,
    })
    const running = await serve(express().use(express.text(), gate, (_request, response) => void response.end()))
    const headers = {
      ...signed({ now: clock.now(), body: 'hello' }),
      'x-service-key': 'old-key',
      'content-type': 'text/plain',
    }
    expect((await send(running.port, 'POST', '/jobs?a=1', headers, Buffer.from('hello'))).status).toBe(200)
    expect(events.map(({ attributes }) => attributes?.signature)).toEqual(['body_consumed'])
    await running.close()
  })

  test('feeds the body back', async () => {
    const type = { 'content-type': 'text/plain' }
    app = await hmacApp({ legacy, reportOnly: true, after: [express.text()] })
    const headers = { ...signed({ now: app.clock.now(), body: 'hello' }), ...type, 'x-service-key': 'old-key' }
    const answer = await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.from('hello'))
    expect(JSON.parse(answer.text)).toMatchObject({ body: 'hello', principal: { format: 'legacy' } })
  })

  test.each([
    ['no key', {}, 'missing'],
    ['a wrong key', { 'x-service-key': 'no-key' }, 'bad_signature'],
  ])('refuses a good signature with %s: the old key alone decides', async (_what, key, reason) => {
    app = await hmacApp({ legacy, reportOnly: true })
    const answer = await send(app.port, 'POST', '/jobs?a=1', { ...signed({ now: app.clock.now() }), ...key })
    expect([answer.status, app.last()]).toEqual([401, reason])
  })
})

test('enforce for a caller that is misspelt cannot be configured', async () => {
  await expect(hmacApp({ legacy, enforce: { shceduler: true } })).rejects.toThrow('names "shceduler"')
  app = await hmacApp({ legacy: { headers: ['x-a'], keys: { '*shared*': ['k'] } }, enforce: { '*shared*': true } })
})

test('one old key under two callers cannot be configured', async () => {
  const shared = { headers: ['x-service-key'], keys: { a: ['same'], b: ['same'] } }
  await expect(hmacApp({ legacy: shared })).rejects.toThrow('has one key twice')
})
