import { memoryReplay } from '@countersign/core'
import { memorySecrets, type RequireHmacOptions, rfc9421, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { resolveHmacOptions } from '../src/options.js'
import { AUDIENCE, SECRET } from './harness.js'

const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
const legacy = { headers: ['x-service-key'], keys: { worker: ['old-key'] } }
const resolve = (options: object = {}) =>
  resolveHmacOptions('requireHmac', { secrets, audience: AUDIENCE, ...options } as RequireHmacOptions)

/** That the error names the option, and says what to do. */
const naming = (code: string, option: string, message: RegExp = /./) =>
  expect.objectContaining({
    ...{ code: `ERR_COUNTERSIGN_OPTION_${code}`, option },
    message: expect.stringMatching(new RegExp(`^requireHmac: .*(?:${message.source})`)),
  })

test('what is left out has its default', () => {
  const { secrets: store, formats, target, clock, gateOptions, ...rest } = resolve()
  expect(rest).toEqual({
    ...{ callers: undefined, audiences: [AUDIENCE], replay: undefined, body: 'buffer', maxBodyBytes: 4_194_304 },
    ...{ legacy: { headers: [], candidates: [] }, enforce: undefined, legacyUsage: undefined, reportOnly: false },
  })
  expect(store).toBe(secrets)
  expect(formats).toMatchObject([{ name: 'rfc9421', windowBackSeconds: 300, windowAheadSeconds: 60 }])
  expect(target({ originalUrl: '/a?b' } as never)).toBe('/a?b')
  expect(gateOptions.clock).toBe(clock)
})

test('what is given is taken', () => {
  const given = {
    ...{ replay: memoryReplay(), body: 'rawBody', maxBodyBytes: 0, reportOnly: true, clock: fakeClock() },
    ...{ enforce: { scheduler: true, worker: false }, legacyUsage: { add: () => undefined, read: () => [] } },
  }
  expect(resolve({ ...given, legacy })).toMatchObject(given)
  const onDenied = () => undefined
  expect(resolve({ onDenied, route: '/a' }).gateOptions).toMatchObject({ onDenied, route: '/a' })
  expect([...(resolve({ callers: ['a', 'b-1'] }).callers ?? [])]).toEqual(['a', 'b-1'])
  expect(resolve({ pathPrefix: '/api' }).target({ originalUrl: '/a' } as never)).toBe('/api/a')
})

describe('the audience', () => {
  test('is one host or several, in lower case, and nobody can change the list later', () => {
    expect(resolve({ audience: 'Billing.Example.com:8443' }).audiences).toEqual(['billing.example.com:8443'])
    const list = ['A.example', '[::1]:80']
    const { audiences } = resolve({ audience: list })
    list.push('attacker.example')
    expect(audiences).toEqual(['a.example', '[::1]:80'])
    expect(Object.isFrozen(audiences)).toBe(true)
  })

  test.each<[string, unknown]>([
    ['no text', 7],
    ['an empty one', ''],
    ['an empty list', []],
    ['a list with a wrong one behind a right one', [AUDIENCE, 'https://billing.example.com']],
    ['a list with a number', [AUDIENCE, 7]],
  ])('is not %s', (_what, audience) => {
    expect(() => resolve({ audience })).toThrow(naming('INVALID', 'audience', /a host, such as/))
  })

  test('is needed where one of the formats binds it, and where none does there is one, empty', () => {
    const audience = undefined
    const unbound = xHeaders({ bindAudience: false })
    for (const formats of [undefined, [unbound, rfc9421()], [xHeaders()]]) {
      expect(() => resolve({ audience, formats })).toThrow(naming('MISSING', 'audience', /"audience" is required/))
    }
    expect(resolve({ audience, formats: [unbound] }).audiences).toEqual([''])
  })
})

describe('the formats', () => {
  test('are a list that nobody can change later', () => {
    const list = [xHeaders()]
    const { formats } = resolve({ formats: list })
    list.push(rfc9421())
    expect(formats).toHaveLength(1)
    expect(Object.isFrozen(formats)).toBe(true)
  })

  test.each<[string, unknown]>([
    ['one by itself', rfc9421()],
    ['none', []],
    ['a list with a name', [rfc9421(), 'xHeaders']],
    ['a list with nothing', [undefined]],
    ['a list with null', [null]],
  ])('are not %s', (_what, formats) => {
    expect(() => resolve({ formats })).toThrow(naming('INVALID', 'formats', /a list of rfc9421\(\) and xHeaders\(\)/))
  })

  test('read no header field that another one reads, or the old key', () => {
    for (const options of [
      { formats: [rfc9421(), rfc9421({ tag: 'other' })] },
      { formats: [xHeaders(), rfc9421(), xHeaders({ bindQuery: false })] },
      { formats: [rfc9421()], legacy: { ...legacy, headers: ['Signature-Input'] } },
      { legacy: { ...legacy, headers: ['x-key', 'X-Key'] } },
    ]) {
      expect(() => resolve(options)).toThrow(naming('INVALID', 'formats', /the same header field/))
    }
    expect(() => resolve({ formats: [xHeaders(), xHeaders({ prefix: 'x-kh' }), rfc9421()], legacy })).not.toThrow()
  })
})

describe('the callers', () => {
  const asking = { ...secrets, knows: undefined }
  const shared = memorySecrets([{ caller: '*shared*', version: 1, secret: SECRET }])

  test('must be listed where the store cannot tell them, or has a secret for all', () => {
    for (const store of [asking, shared]) {
      expect(() => resolve({ secrets: store })).toThrow(naming('MISSING', 'callers', /"callers" is required/))
      expect([...(resolve({ secrets: store, callers: ['a'] }).callers ?? [])]).toEqual(['a'])
    }
  })

  test.each<[string, unknown]>([
    ['one by itself', 'scheduler'],
    ['a name in upper case', ['Scheduler']],
    ['the shared one', ['*shared*']],
    ['a wrong one behind a right one', ['scheduler', 'a b']],
  ])('are not %s', (_what, callers) => {
    expect(() => resolve({ callers })).toThrow(naming('INVALID', 'callers', /a list of names/))
  })
})

describe('the old key', () => {
  test('is an object, and is not shown', () => {
    for (const wrong of [null, 'old-key', 7]) {
      expect(() => resolve({ legacy: wrong })).toThrow(naming('INVALID', 'legacy', /an object of headers and keys/))
      expect(() => resolve({ legacy: wrong })).not.toThrow('old-key')
    }
    expect(resolve({ legacy }).legacy).toMatchObject({ headers: ['x-service-key'], candidates: [{ caller: 'worker' }] })
  })

  test('alone decides with reportOnly: without it, every request would be granted', () => {
    expect(() => resolve({ reportOnly: true })).toThrow(naming('INVALID', 'reportOnly', /needs option "legacy"/))
    expect(resolve({ reportOnly: false }).reportOnly).toBe(false)
  })

  test('is enforced for callers that there are, or that have one', () => {
    const enforced =
      (enforce: unknown, more = {}) =>
      () =>
        resolve({ enforce, legacy, ...more })
    for (const good of [true, false, {}, { scheduler: true }, { worker: true, scheduler: false }, () => true]) {
      expect(enforced(good)).not.toThrow()
    }
    const unknown = (name: string) =>
      naming('UNKNOWN', `enforce.${name}`, new RegExp(`names "${name.slice(0, 64)}", which`))
    expect(enforced({ scheduler: true, shceduler: true })).toThrow(unknown('shceduler'))
    expect(enforced({ scheduler: true }, { callers: ['other'] })).toThrow(unknown('scheduler'))
    expect(enforced({ worker: true }, { legacy: undefined })).toThrow(unknown('worker'))
    expect(enforced({ ['x'.repeat(65)]: true })).toThrow(unknown('x'.repeat(65)))
  })

  test.each<[string, unknown]>([
    ['a text', 'true'],
    ['null', null],
    ['a number', 1],
    ['a text of a caller', { scheduler: true, worker: 'false' }],
    ['an async function', async () => true],
  ])('is not enforced by %s', (_what, enforce) => {
    const expected = naming('INVALID', 'enforce', /true, false, an object of caller/)
    expect(() => resolve({ enforce, legacy })).toThrow(expected)
  })
})

test.each<[string, unknown, RegExp]>([
  ['secrets', {}, /a secret store, such as/],
  ['replay', {}, /a replay store, such as/],
  ['legacyUsage', { add: () => undefined }, /a usage store, such as/],
  ['legacyUsage', { read: () => [] }, /a usage store, such as/],
  ['body', 'stream', /'buffer', 'rawBody'/],
  ['maxBodyBytes', -1, /0/],
  ['maxBodyBytes', 2 ** 31, /2147483647/],
  ['maxBodyBytes', 1.5, /0/],
  ['reportOnly', 'true', /true or false/],
  ['clock', {}, /./],
])('%s cannot be %j, and the error says what it can be', (option, value, message) => {
  expect(() => resolve({ [option]: value, legacy })).toThrow(naming('INVALID', option, message))
})

test('no value of a secret store is shown', () => {
  expect(() => resolve({ secrets: 'short-secret' })).toThrow(naming('INVALID', 'secrets'))
  expect(() => resolve({ secrets: 'short-secret' })).not.toThrow('short-secret')
})

test.each([
  ...['secret', 'key', 'keys'].map((name) => [name, 'secrets: memorySecrets([{ caller, version, secret }])'] as const),
  ['host', 'audience'],
  ['algorithm', 'formats'],
  ['algorithms', 'formats'],
  ['nonces', 'replay'],
  ['replayStore', 'replay'],
  ...['window', 'windowSeconds', 'windowBackSeconds', 'maxAge', 'tolerance'].map(
    (name) => [name, 'formats: [rfc9421({ windowBackSeconds })]'] as const,
  ),
  ...['windowAheadSeconds', 'clockTolerance'].map(
    (name) => [name, 'formats: [rfc9421({ windowAheadSeconds })]'] as const,
  ),
  ['tag', 'formats: [rfc9421({ tag })]'],
  ['prefix', 'formats: [xHeaders({ prefix })]'],
  ['limit', 'maxBodyBytes'],
  ['basePath', 'pathPrefix'],
  ['path', 'target'],
  ['url', 'target'],
])('%s is known from elsewhere: the error says that it is %s here', (name, meant) => {
  const { message } = (() => {
    try {
      resolve({ [name]: 1 })
    } catch (error) {
      return error as Error
    }
    throw new Error('not refused')
  })()
  expect(message).toContain(`Did you mean "${meant}"?`)
})
