import type { IncomingMessage } from 'node:http'
import { denied, type ReasonTable, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { CodedTypeError } from '../src/errors.js'
import { tellOperator } from '../src/gate/tell-operator.js'

let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(() => stop())

const codes = () => warnings.map(({ code }) => code)
/** What the warnings say, without the addresses of their pages. */
const texts = () => warnings.map(({ message }) => message.replace(/\.? See https:\S+$/, ''))

describe('a bug', () => {
  const tell = (error: unknown, kind: string, request?: object) =>
    tellOperator({ outcome: 'failed', error }, { kind, reasons: {}, request: request as IncomingMessage })
  const at = (place: string, message = 'm') =>
    Object.assign(new TypeError(message), { stack: `TypeError: m\n    at ${place}` })

  test('is told once for each gate, name and place', () => {
    for (let round = 0; round < 2; round += 1) {
      tell(at('f (/a.js:1:2)'), 'told')
      tell(at('f (/a.js:1:2)', 'another message'), 'told')
      tell(at('f (/a.js:1:2)'), 'told-other')
      tell(at('g (/a.js:3:4)'), 'told')
      tell(Object.assign(at('f (/a.js:1:2)'), { name: 'RangeError' }), 'told')
    }
    const sentence = 'a bug kept the gate from deciding'
    expect(texts()).toEqual([
      `told: ${sentence}. TypeError at f (/a.js:1:2): m`,
      `told-other: ${sentence}. TypeError at f (/a.js:1:2): m`,
      `told: ${sentence}. TypeError at g (/a.js:3:4): m`,
      `told: ${sentence}. RangeError at f (/a.js:1:2): m`,
    ])
    expect(warnings[0]).toMatchObject({ code: 'COUNTERSIGN_INTERNAL_ERROR', detail: expect.stringContaining('500') })
  })

  test.each<[string, unknown, string]>([
    ['no error at all', undefined, 'undefined: '],
    ['null', null, 'object: '],
    ['a text, which is not shown', 'hunter2', 'string: '],
    ['an error without a place', Object.assign(new TypeError('m'), { stack: 'm' }), 'TypeError: m'],
  ])('that throws %s is told, too', (name, error, text) => {
    tell(error, `thrown-${name.length}`)
    expect(texts()).toEqual([`thrown-${name.length}: a bug kept the gate from deciding. ${text}`])
  })

  test('is told without what the request brought, and without the page of an error of ours', () => {
    const request = { rawHeaders: ['x-key', 'hunter2-PLANTED'], headers: {}, url: '/' }
    tell(new CodedTypeError('ERR_COUNTERSIGN_TEST', 'bad <hunter2-PLANTED>'), 'redacted', request)
    expect(texts()[0]).toMatch(/: bad <…>$/)
    expect(warnings[0]?.message).not.toContain('ERR_COUNTERSIGN_TEST')
  })

  test.each([['BODY_CONSUMED'], ['BODY_END_UNKNOWN'], ['HEADER_REWRITTEN']])(
    'that is a mistake in the order of middleware (%s) has a warning of its own, with the words of the error alone',
    (name) => {
      for (let round = 0; round < 2; round += 1) {
        tell(new CodedTypeError(`ERR_COUNTERSIGN_${name}`, 'Mount it before 0123456789'), 'order')
      }
      tell(new CodedTypeError(`ERR_COUNTERSIGN_${name}`, 'Another mistake'), 'order')
      expect(codes()).toEqual([`COUNTERSIGN_${name}`, `COUNTERSIGN_${name}`])
      expect(texts()).toEqual(['Mount it before 0123456789', 'Another mistake'])
    },
  )

  test('that cannot be read throws nothing', () => {
    const trap = Object.defineProperty({}, 'message', { get: () => JSON.parse('x') })
    expect(() => tell(trap, 'trap')).not.toThrow()
  })
})

describe('a refusal', () => {
  const warning = { code: 'COUNTERSIGN_TEST_MISTAKE', remedy: 'Set it right.' } as const
  const reasons = {
    plain: { status: 401, owasp: 'authn_login_fail' },
    one: { status: 401, owasp: 'authn_login_fail', warning },
    many: { status: 401, owasp: 'authn_login_fail', warning: { ...warning, causedBy: 'issuer' } },
  } as const satisfies ReasonTable<string>
  const refuse = (reason: string, attributes?: Record<string, string | number>, kind = 'refusing') =>
    tellOperator(denied(reason, attributes && { detail: { attributes } }), {
      kind,
      reasons: reasons as ReasonTable<string>,
    })

  test('for a reason without a warning, or that the table does not have, is not told', () => {
    for (const reason of ['plain', 'unheard_of', 'constructor', 'toString']) refuse(reason, { issuer: 'a' })
    expect(warnings).toEqual([])
  })

  test('is told once where its reason has one cause, whatever it saw', () => {
    refuse('one', { seen: 'x\ny', expected: 7 })
    refuse('one', { seen: 'z' })
    refuse('one')
    expect(warnings).toMatchObject([{ code: 'COUNTERSIGN_TEST_MISTAKE', detail: 'Set it right.' }])
    expect(texts()).toEqual(['refusing: a request was refused as one: seen="xy" expected=7'])
  })

  test('is told where it says nothing of what it saw', () => {
    refuse('one', undefined, 'silent')
    expect(texts()).toEqual(['silent: a request was refused as one:'])
  })

  test('is told once for each cause, each gate and each reason', () => {
    for (let round = 0; round < 2; round += 1) {
      for (const issuer of ['a', 'b']) refuse('many', { issuer }, 'causes')
      refuse('many', { issuer: 'a' }, 'causes-other')
      refuse('one', { issuer: 'a' }, 'causes')
    }
    expect(texts()).toEqual([
      'causes: a request was refused as many: issuer="a"',
      'causes: a request was refused as many: issuer="b"',
      'causes-other: a request was refused as many: issuer="a"',
      'causes: a request was refused as one: issuer="a"',
    ])
  })

  test('is not told where it has no cause, not even one that every object has', () => {
    refuse('many', { seen: 'x' }, 'causeless')
    refuse('many', undefined, 'causeless')
    const inherited = { ...reasons.many, warning: { ...warning, causedBy: 'constructor' } }
    tellOperator(denied('many', { detail: { attributes: {} } }), { kind: 'causeless', reasons: { many: inherited } })
    expect(warnings).toEqual([])
  })
})

test('an outage is told, with its gate and its dependency', () => {
  tellOperator(unavailable('key_store'), { kind: 'outage', reasons: {} })
  expect([codes(), texts()]).toEqual([['COUNTERSIGN_DEPENDENCY_UNAVAILABLE'], ['outage: key_store is unavailable']])
})
