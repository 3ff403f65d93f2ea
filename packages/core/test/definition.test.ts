import { createAudit, firstPresented, type Gate } from '@countersign/core'
import { defineGate, type GateDefinition, granted, systemClock } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { checkDefinition, checkGateOptions } from '../src/gate/definition-rules.js'

const definition: GateDefinition<string, { kind: 'x'; id: string }, 'missing', 'store'> = {
  name: 'x',
  middleware: 'requireX',
  reads: ['x-key'],
  read: () => 'a',
  verify: (id) => granted({ kind: 'x', id }),
  dependencies: ['store'],
  reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
  challenge: () => [],
}
const later = async () => undefined
const missing = { status: 401, owasp: 'authn_login_fail' }

/** Creation fails with the name of the option and what it must be. */
function refuses(change: object, name: string, expected: string | RegExp) {
  const make = () => defineGate({ ...definition, ...change })
  expect(make).toThrow(expect.objectContaining({ name: 'OptionError', option: name }))
  expect(make).toThrow(expected)
  expect(make).toThrow(/^defineGate: /)
}

describe('the definition of a gate', () => {
  test.each<[object, string, string]>([
    [{ name: 'two words' }, 'name', 'a token'],
    [{ name: undefined }, 'name', 'a token'],
    [{ middleware: undefined }, 'middleware', 'a string'],
    [{ reads: undefined }, 'reads', 'header field names in lower case'],
    [{ reads: ['X-Key'] }, 'reads', 'header field names in lower case'],
    [{ reads: ['x-key', 'X-key'] }, 'reads', 'header field names in lower case'],
    [{ reads: ['key:'] }, 'reads', 'header field names in lower case'],
    [{ recognises: 'some' }, 'recognises', "'own', 'any'"],
    [{ owns: later }, 'owns', 'a function that is not async'],
    [{ read: undefined }, 'read', 'a function that is not async'],
    [{ read: later }, 'read', 'a function that is not async'],
    [{ verify: undefined }, 'verify', 'a function'],
    [{ demand: true }, 'demand', 'a function'],
    [{ anonymous: true }, 'anonymous', 'a function'],
    [{ decided: later }, 'decided', 'a function that is not async'],
    [{ verifier: 'me' }, 'verifier', 'an object'],
    [{ dependencies: undefined }, 'dependencies', 'names in snake_case, at least one'],
    [{ dependencies: 'store' }, 'dependencies', 'names in snake_case, at least one'],
    [{ dependencies: [] }, 'dependencies', 'names in snake_case, at least one'],
    ...['Store', '2nd', '_store', 'key-store', 'a b', '', 7, ['nested']].map((name): [object, string, string] => [
      { dependencies: ['store', name] },
      'dependencies',
      'names in snake_case',
    ]),
    [{ reasons: undefined }, 'reasons', '`missing` in it'],
    [{ reasons: null }, 'reasons', '`missing` in it'],
    [{ reasons: 'missing' }, 'reasons', '`missing` in it'],
    [{ reasons: {} }, 'reasons', '`missing` in it'],
    [{ reasons: Object.create({ missing }) }, 'reasons', '`missing` in it'],
    [{ reasons: Object.assign(() => undefined, { missing }) }, 'reasons', '`missing` in it'],
    ...[null, {}, { status: 401 }, { owasp: 'a' }, { status: 401, owasp: 7 }].map((odd): [object, string, string] => [
      { reasons: { missing, odd } },
      'reasons',
      'its status and OWASP label',
    ]),
    ...[200, 302, 402, 500, 503, '401'].map((status): [object, string, string] => [
      { reasons: { missing, odd: { status, owasp: 'a' } } },
      'reasons',
      'status',
    ]),
    [{ challenge: undefined }, 'challenge', 'a function that is not async'],
    [{ challenge: later }, 'challenge', 'a function that is not async'],
    [{ shape: {} }, 'shape', 'a function that is not async'],
    [{ withoutRequest: 'x' }, 'withoutRequest', 'an object'],
    [{ needsBody: '' }, 'needsBody', 'a string'],
    [{ options: 'x' }, 'options', 'an object'],
    [{ authenticate: () => undefined }, 'authenticate', 'unknown option'],
    [{ options: { onDenied: 'nxt' } }, 'options.onDenied', "'respond', 'next' or a function"],
    [{ options: { audit: {} } }, 'options.audit', 'createAudit()'],
    [{ options: { audit: { emit: () => true } } }, 'options.audit', 'createAudit()'],
    [{ options: { audit: { subscribe: () => true } } }, 'options.audit', 'createAudit()'],
    [{ options: { clock: {} } }, 'options.clock', 'a Clock'],
    [{ options: { route: '' } }, 'options.route', 'a string'],
  ])('[core-options] is checked when the gate is made: %j', refuses)

  test.each([400, 401, 403, 404, 413, 415, 429])('may have a reason with the status %d', (status) => {
    expect(() =>
      defineGate({ ...definition, reasons: { missing, odd: { status, owasp: 'a' } } as never }),
    ).not.toThrow()
  })

  test('may have headers and dependencies of every allowed form, which are taken once', () => {
    const [reads, dependencies] = [["x-key!#$%&'*+.^_`|~9"], ['a', 'key_store_2']]
    const checked = checkDefinition({ ...definition, reads, dependencies: dependencies as ['store'] })
    reads.push('x-other')
    dependencies.push('other')
    expect([checked.reads, checked.dependencies]).toEqual([["x-key!#$%&'*+.^_`|~9"], ['a', 'key_store_2']])
    expect([checked.reads, checked.dependencies, checked].every(Object.isFrozen)).toBe(true)
    expect(checked.recognises).toBe('any')
  })
})

describe('the options that every gate has', () => {
  test('have defaults, of which the clock is that of the system', () => {
    expect(checkGateOptions()).toEqual({ clock: systemClock })
  })

  test.each(['respond', 'next', () => undefined])('take %j to answer refusals', (onDenied) => {
    expect(checkGateOptions({ onDenied }).onDenied).toBe(onDenied)
  })

  test("are taken, and a gate's own are left to the gate", () => {
    const audit = createAudit()
    expect(checkGateOptions({ audit, route: '/a', windowSeconds: 'its own' })).toEqual({
      audit,
      route: '/a',
      clock: systemClock,
    })
  })
})

describe('a gate', () => {
  test('is found by other copies of the package under the contract that they share, as optional and composed, too', () => {
    const gate = defineGate(definition)
    for (const each of [gate, gate.optional(), firstPresented(gate)]) {
      expect(Reflect.get(each, Symbol.for('countersign.gate/1'))).toMatchObject({ enter: expect.any(Function) })
    }
  })

  test.each([undefined, null, 'gate', {}, () => undefined])(
    'is not %j: firstPresented refuses that with a code',
    (other) => {
      const compose = () => firstPresented(defineGate(definition), other as unknown as Gate)
      expect(compose).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' }))
    },
  )

  test('has the name of its maker, which the app may change', () => {
    const gate = defineGate(definition)
    expect([gate.name, gate.optional().name]).toEqual(['requireX', 'requireX'])
    Object.defineProperty(gate, 'name', { value: 'mine' })
    expect(gate.name).toBe('mine')
  })
})
