import { describe, expect, test } from '@jest/globals'
import { redact } from '../src/gate/redact.js'

const SECRET = `P@ss "w0rd"/é!x$y`

interface Sent {
  readonly url?: string
  readonly rawHeaders?: readonly string[]
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: unknown
  readonly rawBody?: Buffer
}

function redacted(text: string, sent: Sent): string {
  return redact(text, { rawHeaders: [], headers: {}, url: '/', ...sent } as unknown as Parameters<typeof redact>[1])
}

describe('a warning has no credential that the app has decoded from', () => {
  test.each<[string, Sent]>([
    ['the query', { url: `/a?key=${encodeURIComponent(SECRET)}&b=1` }],
    ['the query, with a plus for a blank', { url: `/a?${new URLSearchParams({ key: SECRET })}` }],
    ['a cookie', { rawHeaders: ['Cookie', `a=1; key=${encodeURIComponent(SECRET)}`] }],
    ['a header field in UTF-8', { rawHeaders: ['X-Key', Buffer.from(SECRET).toString('latin1')] }],
    ['the scheme Basic', { rawHeaders: ['Authorization', `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`] }],
    ['a form', { rawBody: Buffer.from(`key=${encodeURIComponent(SECRET)}`) }],
    ['the bytes of JSON', { rawBody: Buffer.from(JSON.stringify({ key: SECRET })) }],
    ['a parsed body', { body: { key: SECRET } }],
    ['a body that is a text', { body: `key is ${SECRET}` }],
    ['the last of several header fields', { rawHeaders: ['X-Other', 'a', 'X-Key', SECRET] }],
    ['the header fields of an adapter', { headers: { 'x-other': 'a', 'x-key': ['b', SECRET] } }],
    ['the second question mark of a query', { url: `/a?b?${encodeURIComponent(SECRET)}` }],
    ['base64 without a scheme', { rawHeaders: ['X-Key', Buffer.from(SECRET).toString('base64')] }],
  ])('%s', (_title, sent) => {
    expect(redacted(`bad key <${SECRET}>`, sent)).toBe('bad key <…>')
  })

  test('of a form whose bytes are encoded in small letters', () => {
    const encoded = [...Buffer.from(SECRET)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    expect(redacted(`bad key <${SECRET}>`, { rawBody: Buffer.from(encoded) })).toBe('bad key <…>')
  })
})

describe('what stays in a warning', () => {
  test('is a text that the request does not have', () => {
    expect(redacted('bad key <other %zz %>', { url: '/a?key=%&b=%zz', rawHeaders: ['X-Key', ''] })).toBe(
      'bad key <other %zz %>',
    )
  })

  test('is the name of a header field, and the path: they are no secrets', () => {
    const sent = { url: '/orders/of/today?a=1', rawHeaders: ['X-Special-Key', 'a'] }
    expect(redacted('no X-Special-Key at /orders/of/today', sent)).toBe('no X-Special-Key at /orders/of/today')
    expect(redacted('no /orders/of/today', { url: '/orders/of/today' })).toBe('no /orders/of/today')
    expect(redacted('no such key', { url: undefined as unknown as string })).toBe('no such key')
  })

  test.each<[string, string, string]>([
    ['seven shared characters at the end', 'abc zyxwvut', 'abc zyxwvut'],
    ['what two fields have together', 'abc zyxwvutABCD.', 'abc zyxwvutABCD.'],
    ['seven shared characters', 'abc zyxwvut.', 'abc zyxwvut.'],
    ['nothing of eight at the end', 'abc ABCDEFGH', 'abc …'],
    ['what stands around eight', 'abc ABCDEFGH def', 'abc … def'],
    ['what stands between two', 'ABCDEFGH, ABCDEFGH', '…, …'],
    ['nothing of what overlaps', 'ABCDEFGHIJKL.', '….'],
  ])('is %s', (_name, text, expected) => {
    expect(redacted(text, { rawHeaders: ['X-Other', 'zyxwvut', 'X-Key', 'ABCDEFGHIJKL'] })).toBe(expected)
  })

  test('is what only a body says that cannot be read, or that is too long to be looked at', () => {
    const circular: Record<string, unknown> = { key: 'circular-key' }
    circular.self = circular
    const far = `${' '.repeat(65_536)}far away`
    for (const body of [circular, far, Buffer.from(far), () => 'circular-key', null, undefined]) {
      expect(redacted('circular-key, far away', { body })).toBe('circular-key, far away')
    }
    const near = `${' '.repeat(65_528)}far away`
    for (const body of [near, Buffer.from(near)]) expect(redacted('far away', { body })).toBe('…')
  })
})

describe('what could be a credential goes, wherever it comes from', () => {
  test.each([
    ['a long run', 'A'.repeat(32), '…'],
    ['a run of every character of a token', `${'a+/'.repeat(3)}${'_=~-'.repeat(8)}.`, /^.*….$/],
    ['a run with a digit and a letter', `x${'1'.repeat(5)}${'y'.repeat(14)}`, '…'],
    ['a run of 20 with its only digit at the end', `${'x'.repeat(19)}1`, '…'],
    ['a run of 20 with its only digit at the beginning', `1${'x'.repeat(19)}`, '…'],
    ['six digits', 'no 123456!', 'no …!'],
  ])('%s', (_name, text, expected) => {
    if (expected instanceof RegExp) expect(redact(text, undefined)).toMatch(expected)
    else expect(redact(text, undefined)).toBe(expected)
  })

  test.each([
    ['a run of 31 letters, such as the name of a function', 'a'.repeat(31)],
    ['a run of 19 letters and digits', `${'a'.repeat(18)}1`],
    ['a run of 20 without a letter, such as a date and a time', '2026-11-30-12-00-00-'],
    ['a number of five digits', 'no 12345!'],
    ['long words', 'the authorization of the administrator'],
  ])('and %s stays', (_name, text) => {
    expect(redact(text, undefined)).toBe(text)
  })

  test('control characters go, and what is longer than a message', () => {
    expect(redact('a\r\nb', undefined)).toBe('ab')
    expect(redact('word '.repeat(10_000), undefined).length).toBeLessThan(2000)
  })
})
