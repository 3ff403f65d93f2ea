import { denied, granted, unavailable } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { checkDecision, isDenied } from '../src/gate/verdict.js'
import { rememberOn } from '../src/remember-on.js'

const principal = { kind: 'x', id: 'a' }

describe('a decision', () => {
  test('is a verdict with what was given, and nothing else', () => {
    expect(granted(principal, { storeMs: 1 })).toEqual({ outcome: 'granted', principal, detail: { storeMs: 1 } })
    expect(denied('r', { retryAfterSeconds: 2 })).toEqual({ outcome: 'denied', reason: 'r', retryAfterSeconds: 2 })
    expect(unavailable('d', { retryAfterSeconds: 3 })).toEqual({
      outcome: 'unavailable',
      dependency: 'd',
      retryAfterSeconds: 3,
    })
  })

  test.each([
    denied('r'),
    unavailable('d'),
    { outcome: 'failed', error: undefined } as const,
    granted({ ...principal }),
  ])('is taken as it is: %j', (decision) => {
    expect(checkDecision(decision)).toBe(decision)
  })

  test('has a principal that nothing changes any more', () => {
    const decision = checkDecision(granted({ ...principal }))
    expect(Object.isFrozen(decision.principal)).toBe(true)
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['another outcome', { outcome: 'ok', principal }],
    ['a grant without a principal', { outcome: 'granted' }],
    ['a principal that is null', { outcome: 'granted', principal: null }],
    ['a principal that is a text', { outcome: 'granted', principal: 'a' }],
    ['a principal that is a function', { outcome: 'granted', principal: Object.assign(() => {}, principal) }],
    ['a principal without a kind', { outcome: 'granted', principal: { id: 'a' } }],
    ['a principal without an id', { outcome: 'granted', principal: { kind: 'x' } }],
    ['a principal whose id is a number', { outcome: 'granted', principal: { kind: 'x', id: 1 } }],
    ['a principal alone', { principal }],
  ])('is never %s', (_, decision) => {
    expect(() => checkDecision(decision as never)).toThrow(
      new TypeError('verify() must return granted(principal), denied(reason) or unavailable(dependency)'),
    )
  })

  test('is a denial when it is an object that says so', () => {
    expect(isDenied(denied('r'))).toBe(true)
    for (const other of [granted(principal), unavailable('d'), {}, null, undefined, 'denied', 1]) {
      expect(isDenied(other)).toBe(false)
    }
    expect(isDenied(Object.assign(() => {}, { outcome: 'denied' }))).toBe(false)
  })
})

describe('what is remembered of an object', () => {
  test('is there on that very object alone, and what is set later replaces it', () => {
    const memory = rememberOn<number>()
    const object = {}
    expect(memory.of(object)).toBeUndefined()
    memory.set(object, 1)
    expect([memory.of(object), memory.of({}), memory.of(Object.create(object))]).toEqual([1, undefined, undefined])
    memory.set(object, 2)
    expect([memory.of(object), memory.of({ ...object }), memory.of(new Proxy(object, {}))]).toEqual([
      2,
      undefined,
      undefined,
    ])
  })

  test('does not show on the object, and is there on one that is frozen', () => {
    const memory = rememberOn<string>()
    const object = Object.freeze({ a: 1 })
    memory.set(object, 'secret')
    expect([memory.of(object), Reflect.ownKeys(object)]).toEqual(['secret', ['a']])
  })

  test('in one memory is not in another one', () => {
    const [one, other] = [rememberOn<number>(), rememberOn<number>()]
    const object = {}
    one.set(object, 1)
    expect(other.of(object)).toBeUndefined()
    other.set(object, 2)
    expect([one.of(object), other.of(object)]).toEqual([1, 2])
  })
})
