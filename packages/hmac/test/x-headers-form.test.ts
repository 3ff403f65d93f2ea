import { createHash } from 'node:crypto'
import { sign, type XHeadersOptions, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import type { SignatureClaim } from '../src/formats/format.js'
import { AUDIENCE, SECRET, signed } from './harness.js'

const NOW = Date.UTC(2026, 0, 1)
const GOOD = signed({ version: 3, nonce: 'n-1', now: NOW })

/** What the format reads of a request with these header fields; undefined for one leaves it out. */
function parse(change: Record<string, string | undefined> = {}, options: XHeadersOptions = {}, target = '/jobs?a=1') {
  const fields = Object.entries({ ...GOOD, ...change }).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value],
  )
  return parseLines(fields, options, target, change.method)
}

function parseLines(fields: readonly string[], options: XHeadersOptions = {}, target = '/jobs?a=1', method = 'POST') {
  const request = { method, rawHeaders: fields, headers: {} } as unknown as Request
  return xHeaders(options).parse(request, () => target)
}
const named = (fields: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`x-countersign-${name}`, value]))

test('a claim has what the header fields say, and no more', () => {
  const signature = Buffer.from(GOOD['x-countersign-signature'] ?? '', 'hex')
  expect(parse()).toMatchObject({ caller: 'scheduler', version: 3, timestamp: NOW / 1000, nonce: 'n-1', signature })
  expect(parse()).toMatchObject({ digests: undefined, expires: undefined })
  expect(parse(named({ 'key-version': undefined, nonce: undefined }))).toMatchObject({
    ...{ version: undefined, nonce: undefined },
  })
  expect(parse(Object.fromEntries(Object.keys(GOOD).map((name) => [name, undefined])))).toBeUndefined()
})

test('the text of a request without a body is that of one whose body is empty', () => {
  const { base } = parse() as SignatureClaim
  const empty = createHash('sha256').update('').digest()
  expect(base(AUDIENCE, undefined)).toBe(base(AUDIENCE, empty))
  expect(base(AUDIENCE, undefined)).not.toBe(base(AUDIENCE, Buffer.alloc(32)))
})

test.each(['caller', 'timestamp', 'signature', 'key-version', 'nonce'])(
  '%s comes once, and commits to the format',
  (name) => {
    const field = `x-countersign-${name}`
    const lines = Object.entries(GOOD).flat()
    for (const value of [GOOD[field] ?? '', 'other']) {
      expect(parseLines([...lines, field, value])).toEqual({ unreadable: 'ambiguous', part: field })
    }
    expect(parseLines([field, GOOD[field] ?? ''])).toMatchObject({ unreadable: 'malformed' })
  },
)

test('a required field comes once, and presents nothing by itself', () => {
  const options = { requiredFields: ['x-a'] }
  expect(parseLines([...Object.entries(GOOD).flat(), 'x-a', '1', 'X-A', '1'], options)).toEqual({
    ...{ unreadable: 'ambiguous', part: 'x-a' },
  })
  expect(parseLines(['x-a', '1'], options)).toBeUndefined()
})

test("a nonce is required by singleUse: 'nonce', which signs with one, and by nothing else", () => {
  const without = named({ nonce: undefined })
  const sent = (options: XHeadersOptions) => Object.keys(signed({ now: NOW, format: xHeaders(options) }))
  for (const options of [{}, { singleUse: 'signature' }] as const) {
    expect(parse(without, options)).toMatchObject({ caller: 'scheduler', nonce: undefined })
    expect(sent(options)).toEqual(['caller', 'timestamp', 'signature'].map((name) => `x-countersign-${name}`))
  }
  const strict = { singleUse: 'nonce' } as const
  for (const method of ['POST', 'GET']) {
    expect(parse({ ...without, method }, strict)).toEqual({ unreadable: 'malformed', part: 'x-countersign-nonce' })
  }
  expect(parse({}, strict)).toMatchObject({ nonce: 'n-1', isRepeatable: false })
  expect(sent(strict)).toContain('x-countersign-nonce')
})

test('the format says what it is called, reads and binds', () => {
  const { reads, ...format } = xHeaders({ prefix: 'x-kh', requiredFields: ['X-A'], windowBackSeconds: 60 })
  expect(format).toMatchObject({
    ...{ name: 'xHeaders', bindsAudience: true, requiredFields: ['x-a'], acceptSignature: undefined },
    ...{ windowBackSeconds: 60, windowAheadSeconds: 300 },
  })
  expect(reads).toEqual(['caller', 'timestamp', 'signature', 'key-version', 'nonce'].map((name) => `x-kh-${name}`))
  expect(xHeaders({ bindAudience: false }).bindsAudience).toBe(false)
})

describe('malformed is', () => {
  test.each<[string, string, (string | undefined)[]]>([
    ['a caller', 'caller', [undefined, '', 'Scheduler', '*shared*', 'a b', 'x'.repeat(65)]],
    ['a time', 'timestamp', [undefined, '', '1.0', '-1', '01', ' 1', '1e9', 'now', '100000000000']],
    ['a signature', 'signature', [undefined, '', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64), 'g'.repeat(64)]],
    ['a version', 'key-version', ['', '0', '-1', '03', '1.5', 'x', '2147483648']],
    ['a nonce', 'nonce', ['', 'a b', 'n\u00e9', 'n'.repeat(129)]],
  ])('%s that is none, and its header field is named', (_what, field, values) => {
    for (const value of values) {
      const wrong = parse(named({ [field]: value }))
      expect(wrong).toMatchObject({ unreadable: 'malformed', part: `x-countersign-${field}` })
    }
  })

  test('a target that names an authority beside the audience, or has no path', () => {
    for (const target of [`https://${AUDIENCE}/jobs`, '*', '', 'jobs', '/a b', '/a#b']) {
      expect(parse({}, {}, target)).toEqual({ unreadable: 'malformed', part: 'target' })
    }
  })

  test('a request without a field that is required', () => {
    const requiredFields = ['x-a', 'x-b']
    expect(parse({ 'x-a': '1' }, { requiredFields })).toEqual({ unreadable: 'malformed', part: 'x-b' })
    expect(parse({ 'x-a': '', 'x-b': '' }, { requiredFields })).toMatchObject({ caller: 'scheduler' })
  })

  test('a time in milliseconds, which is said', () => {
    const hint = 'milliseconds'
    expect(parse(named({ timestamp: String(NOW) }))).toMatchObject({ unreadable: 'malformed', hint })
    expect(parse(named({ timestamp: '12345678901234' }))).toMatchObject({ hint: undefined })
  })
})

test.each<[string, XHeadersOptions, Record<string, boolean>]>([
  ['of a method other than GET and HEAD', {}, { GET: true, HEAD: true, POST: false, OPTIONS: false, get: false }],
  ['with dangerouslyAllowReplay of none', { dangerouslyAllowReplay: true }, { GET: true, POST: true, DELETE: true }],
])('single use is required of a signature without a nonce %s, and of each with one', (_what, options, expected) => {
  for (const [method, isRepeatable] of Object.entries(expected)) {
    const fields = { ...named({ nonce: undefined }), method }
    expect([method, parse(fields, options)]).toMatchObject([method, { isRepeatable }])
    expect([method, parse({ method }, options)]).toMatchObject([method, { isRepeatable: false }])
  }
})

describe('at creation', () => {
  test('a prefix is one to 32 characters of a header name in lower case', () => {
    for (const prefix of ['x', 'x-1', 'x'.repeat(32)]) {
      expect(xHeaders({ prefix }).reads).toContain(`${prefix}-signature`)
    }
    for (const prefix of ['', 'X', '1x', '-x', 'x_y', 'x y', 'x:', 'x'.repeat(33), 'x\n']) {
      expect(() => xHeaders({ prefix })).toThrow(/^xHeaders: .*"prefix".* header name .*lower case/)
    }
  })

  test('options that contradict each other are refused, and the error names one', () => {
    const message = expect.stringMatching(/^xHeaders: .*"dangerouslyAllowReplay".*singleUse/)
    expect(() => xHeaders({ singleUse: 'nonce', dangerouslyAllowReplay: true })).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'dangerouslyAllowReplay', message }),
    )
    expect(() => xHeaders({ requiredFields: ['X-Countersign-Caller'] })).toThrow(
      /^xHeaders: .*"requiredFields" names "x-countersign-caller"/,
    )
  })
})

test('a body of which only another digest than its SHA-256 is known is not signed', () => {
  const options = { caller: 'scheduler', secret: SECRET, audience: AUDIENCE, format: xHeaders() }
  const digest = (name: string, algorithm: string) => ({
    'content-digest': `${name}=:${createHash(algorithm).update('{}').digest('base64')}:`,
  })
  const request = { method: 'POST', url: '/jobs' }
  expect(() => sign({ ...request, headers: digest('sha-512', 'sha512') }, options)).toThrow(
    expect.objectContaining({
      ...{ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'headers' },
      message: expect.stringMatching(/^sign: xHeaders\(\) .*"content-digest"/),
    }),
  )
  const at = { ...options, now: NOW }
  expect(sign({ ...request, headers: digest('sha-256', 'sha256') }, at)).toEqual(
    sign({ ...request, body: Buffer.from('{}') }, at),
  )
})
