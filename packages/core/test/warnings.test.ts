import { UnavailableError } from '@countersign/core'
import { denied, granted } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import request from 'supertest'
import { type CaughtWarning, catchWarnings, pageOf } from '../../../test/support/warnings.js'
import { decides, deciding, type KeyVerdict, keyApp } from './harness.js'

const PAGES = 'https://countersign.example/errors'
const SECRET = 'hunter2-PLANTED-secret'

let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(() => {
  jest.restoreAllMocks()
  stop()
})

function fail(error: unknown): () => never {
  return () => {
    throw error
  }
}

describe('a bug', () => {
  test('is told once for each place, with its name and its message, which the answer has not', async () => {
    const one = deciding(fail(new TypeError('x.y is not a function')))
    const other = deciding(fail(new RangeError('the table is too small')))
    const bodies: string[] = []
    for (const { app } of [one, other, one, other, one]) bodies.push((await request(app).get('/1').expect(500)).text)
    expect(warnings).toEqual([
      {
        code: 'COUNTERSIGN_INTERNAL_ERROR',
        message: expect.stringMatching(
          /^key: a bug kept the gate from deciding\. TypeError at .*warnings\.test\.ts:\d+:\d+\)?: x\.y is not a function\. See /,
        ),
        detail: 'The request was answered 500 without detail. Fix the code at that location.',
      },
      expect.objectContaining({ message: expect.stringContaining('RangeError') }),
    ])
    expect(warnings.map(pageOf)).toEqual(Array(2).fill(`${PAGES}/COUNTERSIGN_INTERNAL_ERROR`))
    expect(new Set(bodies)).toEqual(new Set(['{"type":"about:blank","title":"Internal Server Error","status":500}']))
  })

  test('of an onDenied function is told', async () => {
    const { app } = keyApp({ onDenied: fail(new Error('no template')) })
    for (let round = 0; round < 3; round += 1) await request(app).get('/1').expect(500)
    expect(warnings.map(({ code }) => code)).toEqual(['COUNTERSIGN_INTERNAL_ERROR'])
    expect(warnings[0]?.message).toContain('no template')
  })

  test.each<[string, (sent: ReturnType<ReturnType<typeof request>['get']>) => unknown]>([
    ['a header field', (sent) => sent.set('X-Key', `${SECRET}, and more`)],
    ['a cookie', (sent) => sent.set('Cookie', `a=1; session=${SECRET}`)],
    ['the query', (sent) => sent.query({ s: SECRET })],
    ['the authorization', (sent) => sent.set('Authorization', `Bearer ${SECRET}`)],
  ])('has no credential in its warning that the request brought in %s', async (where, plant) => {
    // A place of its own for each row, so that each is told.
    const Named = class extends TypeError {
      override readonly name = `TypeError`
    }
    const { app } = keyApp(
      {},
      { name: `key-${where.replaceAll(' ', '-')}`, ...decides(fail(new Named(`bad key <${SECRET}>`))) },
    )
    await plant(request(app).get('/1'))
    await (plant(request(app).get('/1')) as Promise<unknown>)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]?.message).toContain('bad key <')
    expect(JSON.stringify(warnings)).not.toContain('PLANTED')
  })

  test('has no long opaque text and no control character in its warning', async () => {
    const token = 'eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0'
    const { app } = deciding(fail(new ReferenceError(`no ${token} and no 123456\n    at forged (x.js:1:1)`)))
    await request(app).get('/1').expect(500)
    expect(warnings[0]?.message).toContain('no ….… and no …    at forged')
  })

  test('that is thrown as something that cannot be read changes no answer', async () => {
    const error = new Proxy(new TypeError('x'), {
      get: (target, name) => {
        if (name === 'name') return 'ReferenceError'
        if (name === 'message' || name === 'stack') throw new Error('trap')
        return Reflect.get(target, name)
      },
    })
    const { app } = deciding(fail(error))
    expect([500, 503]).toContain((await request(app).get('/1')).status)
  })
})

describe('a dependency', () => {
  const down = fail(new UnavailableError('key_store', 'down'))

  /** An app whose store is down while `state.isDown`, in a time that the test moves. */
  function appWithStore(name: string, error: () => never = down) {
    let nowMs = 1_000_000
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs)
    const state = { isDown: true }
    const { app } = keyApp(
      {},
      { name, ...decides((): KeyVerdict => (state.isDown ? error() : granted({ kind: 'key', id: 'k' }))) },
    )
    const times = async (count: number) => {
      for (let round = 0; round < count; round += 1) await request(app).get('/1')
    }
    const wait = (ms: number) => {
      nowMs += ms
    }
    return { state, times, wait }
  }

  test('that becomes unavailable and recovers is told of once each', async () => {
    const { state, times, wait } = appWithStore('key-outage')
    await times(3)
    wait(12_000)
    await times(2)
    state.isDown = false
    // Too early to tell: a request may be refused again.
    await times(2)
    expect(warnings).toHaveLength(1)
    wait(6000)
    await times(3)
    expect(warnings).toEqual([
      {
        code: 'COUNTERSIGN_DEPENDENCY_UNAVAILABLE',
        message: `key-outage: key_store is unavailable (UnavailableError, ERR_COUNTERSIGN_UNAVAILABLE). See ${PAGES}/COUNTERSIGN_DEPENDENCY_UNAVAILABLE`,
        detail: expect.stringContaining('get 503'),
      },
      {
        code: 'COUNTERSIGN_DEPENDENCY_RECOVERED',
        message: `key-outage: key_store is available again: requests are granted, and none failed because of it in the last 6 s. See ${PAGES}/COUNTERSIGN_DEPENDENCY_RECOVERED`,
        detail: 'It was unavailable for 12 s; 5 request(s) got 503.',
      },
    ])
  })

  test('that flaps is told of once a minute, and what lasts is told in the end', async () => {
    const { state, times, wait } = appWithStore('key-flapping')
    for (let round = 0; round < 60; round += 1) {
      state.isDown = round % 2 === 0
      await times(1)
      wait(6000)
    }
    // Six minutes: at most one outage a minute, each with its end.
    const codes = warnings.map(({ code }) => code.replace('COUNTERSIGN_DEPENDENCY_', ''))
    expect(codes).toEqual(Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? 'UNAVAILABLE' : 'RECOVERED')))
    state.isDown = true
    for (let minute = 0; minute < 3; minute += 1) {
      wait(60_000)
      await times(1)
    }
    expect(warnings.slice(12).map(({ code }) => code)).toEqual(['COUNTERSIGN_DEPENDENCY_UNAVAILABLE'])
  })

  test('is told of without what its error says', async () => {
    const { times } = appWithStore('key-message', fail(Object.assign(new Error(SECRET), { code: 'ECONNREFUSED' })))
    await times(2)
    expect(warnings.map(({ message }) => message)).toEqual([
      `key-message: key_store is unavailable (Error, ECONNREFUSED). See ${PAGES}/COUNTERSIGN_DEPENDENCY_UNAVAILABLE`,
    ])
  })
})

describe('a reason with a warning', () => {
  const warning = { code: 'COUNTERSIGN_TEST_REASON', remedy: 'Set it right.', causedBy: 'issuer' } as const
  const table = (warns: object) => ({
    missing: { status: 401, owasp: 'authn_login_fail' },
    unknown: { status: 401, owasp: 'authn_login_fail', warning: warns },
  })
  const refuse = (attributes: Record<string, string>, warns: object = warning, name = 'key') =>
    keyApp(
      {},
      { name, reasons: table(warns) as never, ...decides(() => denied('unknown', { detail: { attributes } })) },
    ).app

  test('is told once for each configured cause, seen against expected', async () => {
    for (let round = 0; round < 2; round += 1) {
      for (const issuer of ['https://a.example', 'https://b.example']) {
        await request(refuse({ seen: 'x\ny', expected: 'z', issuer }))
          .get('/1')
          .expect(401)
      }
    }
    expect(warnings).toEqual(
      ['https://a.example', 'https://b.example'].map((issuer) => ({
        code: 'COUNTERSIGN_TEST_REASON',
        message: `key: a request was refused as unknown: seen="xy" expected="z" issuer="${issuer}". See ${PAGES}/COUNTERSIGN_TEST_REASON`,
        detail: 'Set it right.',
      })),
    )
  })

  test('is not told without its cause, and has one cause where none is named', async () => {
    await request(refuse({ seen: 'x' }))
      .get('/1')
      .expect(401)
    expect(warnings).toEqual([])
    const { causedBy: _, ...single } = warning
    for (const seen of ['a'.repeat(10_000), 'b', 'c']) await request(refuse({ seen }, single, 'single')).get('/1')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]?.message.length).toBeLessThan(500)
  })
})
