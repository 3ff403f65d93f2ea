import { denied, granted } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { decides, deciding, type KeyVerdict, keyApp, keyGate } from './harness.js'

describe('a bug in a gate', () => {
  const bugs: [string, () => KeyVerdict | Promise<KeyVerdict>][] = [
    [
      'a throw',
      () => {
        throw Object.assign(new RangeError('the secret is hunter2'), { code: 'ERR_TEST' })
      },
    ],
    ['a rejection', async () => Promise.reject(new RangeError('the secret is hunter2'))],
    ['no verdict', () => undefined as unknown as KeyVerdict],
    ['a promise of no verdict', async () => undefined as unknown as KeyVerdict],
    ['a grant of nothing', () => granted(undefined as unknown as { kind: 'key'; id: string })],
    ['an outcome that does not exist', () => ({ outcome: 'fine' }) as unknown as KeyVerdict],
    ['a reason that the table does not have', () => denied('unheard_of' as 'unknown')],
    ['a reason that every object has', () => denied('constructor' as 'unknown')],
    ['a member that JSON cannot hold', () => denied('unknown', { members: { count: 1n } })],
    ['a challenge that is not a token', () => denied('unknown', { parameters: {} })],
  ]
  test.each(bugs)('[core-throw] (%s) is one event, 500 without detail, and no way in', async (name, decide) => {
    const broken = { challenge: () => [{ scheme: 'Key\r\nSet-Cookie: a=1' }] }
    const { app, events, handled } = keyApp({}, { ...decides(decide), ...(name.includes('token') ? broken : {}) })
    const response = await request(app).get('/1')
    expect(response.status).toBe(500)
    expect(response.text).toBe('{"type":"about:blank","title":"Internal Server Error","status":500}')
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(response.headers['www-authenticate']).toBeUndefined()
    expect(events).toMatchObject([
      { type: 'access.unavailable', outcome: 'error', reason: 'internal_error', http: { status: 500 } },
    ])
    expect(JSON.stringify(events)).not.toContain('hunter2')
    expect(handled()).toBe(0)
  })

  test('[core-throw] is named in its event by kind, code and place, never by its message', async () => {
    const { app, events } = deciding(() => {
      throw Object.assign(new RangeError('the secret is hunter2'), { code: 'ERR_TEST' })
    })
    await request(app).get('/1').expect(500)
    expect(events[0]?.attributes).toEqual({
      error: 'RangeError',
      code: 'ERR_TEST',
      at: expect.stringContaining('bugs.test'),
    })
  })

  test.each<[string, () => never, object]>([
    [
      'whose message has a line like a frame',
      () => JSON.parse('{\n    at hunter2 (hunter2:1:1)') as never,
      { error: 'SyntaxError', at: expect.not.stringContaining('hunter2') },
    ],
    [
      'whose message was changed later',
      () => {
        const error = new Error('x\n  at hunter2')
        error.message = 'y'
        throw error
      },
      { error: 'Error', at: expect.stringContaining('bugs.test') },
    ],
    [
      'whose stack is not a text',
      () => {
        throw Object.assign(new Error('hunter2'), { stack: ['hunter2'] })
      },
      { error: 'Error' },
    ],
    [
      'that throws when it is read',
      () => {
        throw Object.defineProperty(new Error('hunter2'), 'code', {
          get: () => {
            throw new Error('hunter2')
          },
        })
      },
      { error: 'unreadable' },
    ],
  ])('[core-thrown] an error %s is one event without its message', async (_name, decide, attributes) => {
    for (const verify of [decide, async () => decide()]) {
      const { app, events, handled } = deciding(verify)
      const response = await request(app).get('/1')
      expect(response.status).toBe(503)
      expect(response.text).toBe('{"type":"about:blank","title":"Service Unavailable","status":503}')
      expect(events).toMatchObject([{ reason: 'key_store', attributes }])
      expect(JSON.stringify(events)).not.toContain('hunter2')
      expect(handled()).toBe(0)
    }
  })

  test('[core-throw] while the grant is reported leaves no principal to the error handlers', async () => {
    const unreadable = {
      kind: 'key' as const,
      get id(): string {
        throw new Error('no id')
      },
    }
    const { audit, events } = recordAudit()
    const seen: unknown[] = []
    const gate = keyGate(
      { audit, onDenied: 'next' },
      decides(() => granted(unreadable)),
    )
    const answer: ErrorRequestHandler = (error, incoming, response, _next) => {
      seen.push(error.code, incoming.principal)
      response.status(error.status).end()
    }
    await request(express().use(gate, answer)).get('/').expect(500)
    expect(seen).toEqual(['ERR_COUNTERSIGN_GATE_FAILED', undefined])
    expect(events.map((event) => event.reason)).toEqual(['internal_error'])
  })

  test('[core-one-event] in the request id of the app costs the event that id and nothing else', async () => {
    const { audit, events } = recordAudit()
    const app = express().use((incoming, _response, next) => {
      Object.defineProperty(incoming, 'id', {
        get: () => {
          throw new Error('no id')
        },
      })
      next()
    }, keyGate({ audit }))
    await request(app).get('/').expect(401)
    expect(events).toMatchObject([{ http: { requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) } }])
  })

  test('[core-throw] in the shape of an answer is found before anything is reported or sent', async () => {
    const headers = { 'X-Note': 'a\r\nSet-Cookie: b=1' }
    const { app, events } = keyApp({}, { shape: (answer) => ({ ...answer, headers }) })
    const response = await request(app).get('/1').expect(500)
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(events.map((event) => event.reason)).toEqual(['internal_error'])
  })

  test('[core-one-event] in the trust function of the app costs the event its address and nothing else', async () => {
    const { app, events } = keyApp()
    app.set('trust proxy', () => {
      throw new Error('no')
    })
    await request(app).get('/1').set('X-Forwarded-For', '10.0.0.1').expect(401)
    expect(events).toHaveLength(1)
    expect(events[0]?.http?.clientAddress).toBeUndefined()
  })
})
