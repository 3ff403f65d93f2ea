import { describe, expect, test } from '@jest/globals'
import { type Enforce, type LegacyOptions, resolveLegacyKeys, verifyKey } from '../src/legacy.js'

const legacy: LegacyOptions = {
  headers: ['X-Service-Key'],
  keys: { scheduler: ['old-key', 'older-key'], '*shared*': ['everyones-key'], worker: ['schlüssel'] },
}

function verify(key: string, enforce?: Enforce) {
  const counted: [string, boolean][] = []
  const usage = { count: (caller: string, isAccepted: boolean) => void counted.push([caller, isAccepted]) }
  return { verdict: verifyKey({ kind: 'key', key }, resolveLegacyKeys('owner', legacy), enforce, usage), counted }
}
const granted = (caller: string) => ({
  outcome: 'granted',
  principal: { kind: 'hmac', id: caller, caller, format: 'legacy' },
  detail: { principalId: caller, attributes: { format: 'legacy' } },
})
const refused = (caller: string, failure = {}) => ({
  outcome: 'denied',
  reason: 'legacy_refused',
  detail: { principalId: caller, attributes: { format: 'legacy', ...failure } },
})

describe('an old key', () => {
  test.each([
    ['old-key', 'scheduler'],
    ['older-key', 'scheduler'],
    ['everyones-key', '*shared*'],
    [Buffer.from('schlüssel').toString('latin1'), 'worker'],
  ])('is that of its caller, as bytes of UTF-8: %j', (key, caller) => {
    const { verdict, counted } = verify(key)
    expect(verdict).toMatchObject(granted(caller))
    expect(verdict.outcome === 'granted' && Object.keys(verdict.principal)).not.toContain('keyVersion')
    expect(counted).toEqual([[caller, true]])
  })

  test.each(['', 'old-ke', 'old-key ', 'OLD-KEY', 'schlüssel'])('that nobody has names no caller: %j', (key) => {
    const { verdict, counted } = verify(key)
    expect(verdict).toEqual({
      ...{ outcome: 'denied', reason: 'bad_signature', detail: { attributes: { format: 'legacy' } } },
    })
    expect(counted).toEqual([])
  })

  test.each<[string, Enforce | undefined, boolean]>([
    ['nothing is said', undefined, false],
    ['it is enforced', true, true],
    ['it is not', false, false],
    ['it is for its caller', { scheduler: true }, true],
    ['it is not for its caller', { scheduler: false }, false],
    ['it is for another caller alone', { worker: true }, false],
    ['a function says so', () => true, true],
    ['a function says no', () => false, false],
    ['a function says so of its caller', () => ({ scheduler: true }), true],
    ['a function says so of another', () => ({ worker: true }), false],
    ['a function says nothing', (() => undefined) as never, true],
    ['a function says null', (() => null) as never, true],
    ['a function says a text', (() => 'false') as never, true],
    ['a function says 0', (() => 0) as never, true],
    ['a function says a text of its caller', (() => ({ scheduler: 'false' })) as never, true],
    ['a function says 0 of its caller', (() => ({ scheduler: 0 })) as never, true],
    ['a function says nothing of its caller', (() => ({ scheduler: undefined })) as never, true],
    ['an object has it by inheritance alone', Object.create({ scheduler: true }) as never, false],
  ])('is refused or not, and counted as such, where %s', (_what, enforce, isRefused) => {
    const { verdict, counted } = verify('old-key', enforce)
    expect(verdict).toMatchObject(isRefused ? refused('scheduler') : granted('scheduler'))
    expect(counted).toEqual([['scheduler', !isRefused]])
  })

  test('is refused where the switch fails, and the event says how, without what could be secret', async () => {
    const thrown = verify('old-key', () => {
      throw Object.assign(new Error('s3cret'), { code: 'ECONNREFUSED' })
    })
    expect(thrown.verdict).toMatchObject(refused('scheduler', { error: 'Error', code: 'ECONNREFUSED' }))
    expect(JSON.stringify(thrown)).not.toContain('s3cret')
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const rejected = verify('old-key', (() => Promise.reject(new Error('s3cret'))) as never)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(rejected.verdict).toMatchObject(refused('scheduler', { error: 'promise' }))
    expect(rejected.counted).toEqual([['scheduler', false]])
    expect(unhandled).toEqual([])
  })
})

describe('the old keys, at creation,', () => {
  const resolve = (options: unknown) => () => resolveLegacyKeys('requireHmac', options as LegacyOptions)

  test('are found by header names in lower case', () => {
    expect(resolveLegacyKeys('owner', legacy).headers).toEqual(['x-service-key'])
  })

  test.each<[string, unknown]>([
    ['no object', 'old-key'],
    ['a number', 7],
    ['null', null],
    ['a list', ['old-key']],
    ['a key without a list', { scheduler: 'old-key' }],
    ['a caller without a key', { scheduler: [] }],
    ['an empty key', { scheduler: ['old-key', ''] }],
    ['a key that is no text', { scheduler: ['old-key', 7] }],
    ['a name that can be no caller', { Scheduler: ['old-key'] }],
    ['another name between stars', { '*other*': ['old-key'] }],
    ['one good caller and one wrong', { worker: ['key'], 'a b': ['old-key'] }],
  ])('are refused where they are %s, and the error names the option and no key', (_what, keys) => {
    const wrong = resolve({ headers: ['x-a'], keys })
    expect(wrong).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'legacy.keys' }))
    expect(wrong).toThrow(/^requireHmac: .*an object of caller: \[key/)
    expect(wrong).not.toThrow('old-key')
  })

  test.each<[string, unknown]>([
    ['a space', ['x service']],
    ['a line end', ['x-a\n']],
    ['a colon in front', [':x-a']],
    ['no name', ['']],
    ['65 characters', ['x'.repeat(65)]],
  ])('have header names, and none with %s', (_what, headers) => {
    expect(resolve({ headers, keys: legacy.keys })).toThrow(/"legacy.headers".* list of header names/)
  })

  test('have both options', () => {
    for (const missing of ['headers', 'keys']) {
      const options = { ...legacy, [missing]: undefined }
      const error = { code: 'ERR_COUNTERSIGN_OPTION_MISSING', option: `legacy.${missing}` }
      expect(resolve(options)).toThrow(expect.objectContaining(error))
    }
  })

  test.each([
    ['of two callers', { scheduler: ['same-key'], worker: ['same-key'] }],
    ['of one caller', { scheduler: ['same-key', 'other', 'same-key'] }],
  ])('are not one key twice, %s: the error says what to do, and not which', (_what, keys) => {
    const wrong = resolve({ headers: ['x-a'], keys })
    expect(wrong).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'legacy.keys' }))
    expect(wrong).toThrow(/^requireHmac: option "legacy\.keys" has one key twice.*\*shared\*/)
    expect(wrong).not.toThrow('same-key')
  })
})
