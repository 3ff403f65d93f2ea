import { type Clock, memoryReplay, OptionError } from '@countersign/core'
import {
  gateOptionRules,
  isLoopback,
  isSecureUrl,
  nearest,
  option,
  resolveOptions,
  systemClock,
} from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import request from 'supertest'
import { keyApp } from './harness.js'

const rules = {
  ...gateOptionRules,
  audience: option.string().required(),
  windowSeconds: option.integer(1, 3600).default(300),
  secret: option
    .string(/^.{16,}$/, 'a string of at least 16 characters')
    .secret()
    .required(),
  mode: option.oneOf('strict', 'report').default('strict'),
  names: option.strings(/^[a-z]+$/, 'a list of lower-case names').default([]),
  isQuiet: option.boolean().default(false),
}
const good = { audience: 'app', secret: 'a-secret-that-is-long-enough' }

/** A message with the page of its code. */
function withPage(message: string, code: string): string {
  return `${message}${/[.?]$/.test(message) ? '' : '.'} See https://countersign.example/errors/${code}`
}

function refused(options: unknown): OptionError {
  try {
    resolveOptions('requireThing', options, rules)
  } catch (error) {
    return error as OptionError
  }
  throw new Error('was not refused')
}

describe('options', () => {
  test('[core-options] get their defaults, and are frozen', () => {
    const resolved = resolveOptions('requireThing', good, rules)
    expect(resolved).toEqual({
      audience: 'app',
      secret: 'a-secret-that-is-long-enough',
      windowSeconds: 300,
      mode: 'strict',
      names: [],
      isQuiet: false,
      clock: systemClock,
    })
    expect(Object.isFrozen(resolved)).toBe(true)
  })

  test('[core-options] are taken once: what changes later has no effect', () => {
    const names = ['a']
    const resolved = resolveOptions('requireThing', { ...good, names }, rules)
    names.push('b')
    expect(resolved.names).toEqual(['a'])
    expect(Object.isFrozen(resolved.names)).toBe(true)
  })

  test.each([
    [
      { ...good, windowSecond: 1 },
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      'windowSecond',
      'requireThing: unknown option "windowSecond". Did you mean "windowSeconds"?',
    ],
    [
      { ...good, AUDIENCE: 'x' },
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      'AUDIENCE',
      'requireThing: unknown option "AUDIENCE". Did you mean "audience"?',
    ],
    [
      { ...good, foo: 1 },
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      'foo',
      'requireThing: unknown option "foo". The options are: onDenied, audit, route, clock, audience, windowSeconds, secret, mode, names, isQuiet.',
    ],
    [
      { secret: good.secret },
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'audience',
      'requireThing: option "audience" is required: set it to a string that is not empty',
    ],
    [
      { ...good, windowSeconds: 0 },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'windowSeconds',
      'requireThing: option "windowSeconds" must be an integer from 1 to 3600, got 0',
    ],
    [
      { ...good, windowSeconds: '60' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'windowSeconds',
      'requireThing: option "windowSeconds" must be an integer from 1 to 3600, got "60"',
    ],
    [
      { ...good, audience: '' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'audience',
      'requireThing: option "audience" must be a string that is not empty, got ""',
    ],
    [
      { ...good, mode: 'lax' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'mode',
      'requireThing: option "mode" must be one of \'strict\', \'report\', got "lax"',
    ],
    [
      { ...good, names: ['a', 'B'] },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'names',
      'requireThing: option "names" must be a list of lower-case names, got an array',
    ],
    [
      { ...good, isQuiet: 'false' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'isQuiet',
      'requireThing: option "isQuiet" must be true or false, got "false"',
    ],
    [
      { ...good, onDenied: 'nxt' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'onDenied',
      'requireThing: option "onDenied" must be \'respond\', \'next\' or a function, got "nxt"',
    ],
    [
      { ...good, audit: {} },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'audit',
      'requireThing: option "audit" must be an emitter made by createAudit(), got an object',
    ],
    [
      { ...good, clock: Date.now },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'clock',
      'requireThing: option "clock" must be a Clock, got a function',
    ],
    [
      { ...good, audience: null },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'audience',
      'requireThing: option "audience" must be a string that is not empty, got null',
    ],
    [null, 'ERR_COUNTERSIGN_OPTION_INVALID', '', 'requireThing: options must be an object, got null'],
    ['x', 'ERR_COUNTERSIGN_OPTION_INVALID', '', 'requireThing: options must be an object, got a string'],
    [[], 'ERR_COUNTERSIGN_OPTION_INVALID', '', 'requireThing: options must be an object, got an array'],
  ])('[core-options] that are wrong name the option, the value and the remedy: %j', (options, code, name, message) => {
    const error = refused(options)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toBeInstanceOf(OptionError)
    expect([error.name, error.code, error.option]).toEqual(['OptionError', code, name])
    expect(error.message).toBe(withPage(message, code))
  })

  test('[core-secrets-not-shown] that are secret are never shown, good or bad', () => {
    const error = refused({ audience: 'app', secret: 'hunter2' })
    expect(error.message).toBe(
      withPage(
        'requireThing: option "secret" must be a string of at least 16 characters, got another value',
        'ERR_COUNTERSIGN_OPTION_INVALID',
      ),
    )
    expect(JSON.stringify({ ...error, message: error.message, stack: error.stack })).not.toContain('hunter2')
    expect(refused({ audience: 'app', secrets: 'hunter2-hunter2-hunter2' }).message).not.toContain('hunter2')
    expect(refused('hunter2').message).not.toContain('hunter2')
  })

  test('that are nested are named with their path', () => {
    const nested = () => resolveOptions('requireThing', { size: 'x' }, { size: option.integer(1, 2) }, 'cache.')
    expect(nested).toThrow('requireThing: option "cache.size" must be an integer from 1 to 2, got "x"')
  })

  test('of __proto__ and of inherited names are no options', () => {
    expect(refused({ ...good, ...JSON.parse('{"__proto__x":1}') }).code).toBe('ERR_COUNTERSIGN_OPTION_UNKNOWN')
    expect(refused({ ...good, toString: 1 }).option).toBe('toString')
  })

  test('that are long are shown short', () => {
    expect(refused({ ...good, mode: 'x'.repeat(1000) }).message.length).toBeLessThan(220)
  })
})

test('[core-options] seconds may have fractions, within their bounds', () => {
  const seconds = (value: unknown) => resolveOptions('requireThing', { age: value }, { age: option.seconds(0, 60) }).age
  expect([0, 0.5, 60].map(seconds)).toEqual([0, 0.5, 60])
  for (const value of [-1, 60.1, Number.NaN, Number.POSITIVE_INFINITY, '5', 5n, null]) {
    expect(() => seconds(value)).toThrow('option "age" must be a number of seconds from 0 to 60, got')
  }
})

test('[core-loopback] a URL is protected by https, or by never leaving this machine', () => {
  const secure = [
    'https://api.example.com',
    'http://localhost:3000',
    'http://LOCALHOST',
    'http://127.0.0.1',
    'http://127.8.9.10:80/a',
    'http://[::1]:8080',
    'http://127.1',
  ]
  const insecure = [
    'http://api.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://128.0.0.1',
    'http://0.0.0.0',
    'http://[::2]',
    'ws://localhost',
    'ftp://127.0.0.1',
  ]
  expect(secure.filter((url) => !isSecureUrl(new URL(url)))).toEqual([])
  expect(insecure.filter((url) => isSecureUrl(new URL(url)))).toEqual([])
  expect(['localhost', '127.0.0.1', '::1', '[::1]', 'example.com', ''].map(isLoopback)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ])
})

test('the nearest name is one that could have been meant', () => {
  expect(nearest('audti', ['audit', 'route'])).toBe('audit')
  expect(nearest('windowseconds', ['windowSeconds'])).toBe('windowSeconds')
  expect(nearest('xyz', ['audit', 'now'])).toBeUndefined()
  expect(nearest('rout', ['route'])).toBe('route')
})

test('[core-options] that a prototype was polluted with are none, of a gate or of its definition', async () => {
  const planted = { onDenied: 'next', route: 'planted', audit: {}, clock: {}, demand: () => 1, shape: 7, decided: 7 }
  const names = Object.keys(planted)
  const { app, errors, events } = keyApp()
  for (const [name, value] of Object.entries(planted)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true })
  }
  try {
    const polluted = keyApp()
    for (const each of [app, polluted.app]) {
      await request(each).get('/1').expect(401)
      await request(each).get('/1').set('x-key', 'good').expect(200)
    }
    expect([...errors, ...polluted.errors]).toEqual([])
    expect([...events, ...polluted.events].map(({ http }) => http?.route)).toEqual(['/:id', '/:id', '/:id', '/:id'])
    expect(resolveOptions('requireThing', good, rules).onDenied).toBeUndefined()
    expect(memoryReplay({}).claim('a', 1000)).toBe('fresh')
  } finally {
    for (const name of names) Reflect.deleteProperty(Object.prototype, name)
  }
})

test('[core-options] of the memory replay store are checked', () => {
  const make = (options: unknown) => () => memoryReplay(options as { maxEntries: number })
  expect(make({ maxEntry: 5 })).toThrow('Did you mean "maxEntries"?')
  expect(make({ maxEntries: 0 })).toThrow('memoryReplay: option "maxEntries" must be an integer')
  expect(make({ clock: { now: () => 0 } as Clock })).toThrow('must be a Clock')
})
