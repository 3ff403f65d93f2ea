import { createHash, createHmac } from 'node:crypto'
import { rfc9421, type SignableRequest, type SignOptions, sign, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import { AUDIENCE, SECRET } from './harness.js'

const NOW = 1_700_000_000_999
const OPTIONS: SignOptions = { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, now: NOW }
const REQUEST: SignableRequest = { method: 'POST', url: '/jobs?a=1', body: Buffer.from('{}') }
const EMPTY = createHash('sha256').update('').digest('base64')
const sha = (algorithm: string, text = '{}') => createHash(algorithm).update(text).digest()

const signed = (request: Partial<SignableRequest> = {}, options: Partial<SignOptions> = {}) =>
  sign({ ...REQUEST, ...request }, { ...OPTIONS, ...options })
const signedPlainly = (request: Partial<SignableRequest> = {}, options: Partial<SignOptions> = {}) =>
  signed(request, { format: xHeaders(), version: undefined, ...options })

/** What xHeaders signs with, of these lines. */
const macOf = (...lines: string[]) => createHmac('sha256', SECRET).update(lines.join('\n'), 'latin1').digest('hex')
const naming = (code: string, option: string) =>
  expect.objectContaining({
    ...{
      code: `ERR_COUNTERSIGN_OPTION_${code}`,
      option,
      message: expect.stringMatching(new RegExp(`^sign: .*"${option}"`)),
    },
  })

describe('sign', () => {
  test('signs the bytes of the body, for the audience in lower case, at the second that has begun', () => {
    const body = sha('sha256').toString('hex')
    expect(signedPlainly({}, { audience: 'Billing.Example.com' })).toEqual({
      'x-countersign-caller': 'scheduler',
      'x-countersign-timestamp': '1700000000',
      'x-countersign-signature': macOf('POST', '/jobs?a=1', 'scheduler', body, '1700000000', AUDIENCE),
    })
  })

  test('takes the system clock, rfc9421 and an empty body for what is left out', () => {
    const before = Math.floor(Date.now() / 1000)
    const { 'Signature-Input': input = '', 'Content-Digest': digest } = sign(
      { method: 'GET', url: '/' },
      { ...OPTIONS, now: undefined },
    )
    const created = Number(/;created=(\d+);/.exec(input)?.[1])
    expect(created).toBeGreaterThanOrEqual(before)
    expect(created).toBeLessThanOrEqual(Date.now() / 1000)
    expect(digest).toBe(`sha-256=:${EMPTY}:`)
  })

  test('makes a nonce where it is asked for one, takes the one that is given, and else leaves it out', () => {
    const nonceOf = (nonce?: boolean | string) => signedPlainly({}, { nonce })['x-countersign-nonce']
    expect([nonceOf('n-1'), nonceOf('n'.repeat(128)), nonceOf(false), nonceOf()]).toEqual([
      ...['n-1', 'n'.repeat(128), undefined, undefined],
    ])
    const made = [nonceOf(true), nonceOf(true)]
    for (const nonce of made) expect(nonce).toMatch(/^[\w-]{22}$/)
    expect(made[0]).not.toBe(made[1])
  })

  test('changes nothing that it is given', () => {
    const request = Object.freeze({ ...REQUEST, headers: Object.freeze({ 'Content-Type': 'a/b' }) })
    const options = Object.freeze({ ...OPTIONS })
    expect(sign(request, options)).not.toHaveProperty('Content-Type')
  })
})

describe('the header fields to sign', () => {
  test('may be an object, pairs, a Map or Headers, in any case, and what is undefined is left out', () => {
    const all = [
      { 'X-A': '1', 'x-b': undefined },
      [['X-A', '1']] as const,
      new Map([['x-A', '1']]),
      new Headers({ 'x-a': '1' }),
    ]
    const format = rfc9421({ requiredFields: ['x-a'] })
    const inputs = all.map((headers) => signed({ headers: headers as never }, { format, nonce: 'n' }).Signature)
    expect(new Set(inputs).size).toBe(1)
    expect(() => signed({ headers: { 'x-a': undefined } }, { format })).toThrow('"x-a"')
    expect(() => signed({ headers: undefined }, { format })).toThrow('"x-a"')
  })

  test.each<[string, string, string]>([
    ['a line end', 'x-a', 'b\nx-c: d'],
    ['a carriage return', 'x-a', 'b\r'],
    ['a null character', 'x-a', '\0'],
    ['a character that is no byte', 'x-a', '\u0100'],
    ['a name with a space', 'x a', 'b'],
    ['a name with a line end', 'x-a\n', 'b'],
    ['an empty name', '', 'b'],
  ])('hold none with %s: it would be another line of what is signed', (_what, name, value) => {
    for (const headers of [{ [name]: value }, [[name, value]] as const]) {
      expect(() => signed({ headers: headers as never })).toThrow(naming('INVALID', 'headers'))
    }
  })
})

describe('the body', () => {
  const declared = (text: string) => ({ headers: { 'Content-Digest': text } })
  const SHA256 = `sha-256=:${sha('sha256').toString('base64')}:`
  const SHA512 = `sha-512=:${sha('sha512').toString('base64')}:`

  test('is signed by the digest that is declared where its bytes are left out', () => {
    for (const digest of [SHA256, SHA512, `${SHA512}, ${SHA256}`]) {
      expect(signed({ body: undefined, ...declared(digest) })['Content-Digest']).toBe(digest)
    }
    for (const digest of [SHA256, `${SHA512}, ${SHA256}`]) {
      expect(signedPlainly({ body: undefined, ...declared(digest) })).toEqual(signedPlainly())
    }
  })

  test('is signed by its bytes where they are given, whatever digest is declared', () => {
    expect(signed({ ...declared(`sha-256=:${EMPTY}:`) })['Content-Digest']).toBe(SHA256)
    expect(signed({ body: new Uint8Array(0), ...declared(SHA256) })['Content-Digest']).toBe(`sha-256=:${EMPTY}:`)
  })

  test.each(['md5=:AAAA:', '', 'sha-256=abc', `${SHA256}, sha-512=:AAAA:`])('is not signed by %j', (digest) => {
    expect(() => signed({ body: undefined, ...declared(digest) })).toThrow(
      expect.objectContaining({ option: 'headers', message: expect.stringMatching(/^sign: "content-digest" must be/) }),
    )
  })

  test.each<[string, unknown]>([
    ['a text', '{}'],
    ['an object', {}],
    ['null', null],
    ['a list', [123]],
    ['an ArrayBuffer', new ArrayBuffer(2)],
  ])('is bytes, and not %s', (_what, body) => {
    expect(() => signed({ body: body as never })).toThrow(naming('INVALID', 'body'))
  })
})

describe('refused is', () => {
  test.each<[string, unknown]>([
    ['an empty method', ''],
    ['a method with a space', 'GET /'],
    ['a method with a line end', 'GET\n'],
    ['a method with a letter beyond ASCII', 'G\u00cbT'],
    ['a method that is no text', 7],
    ['no method', undefined],
  ])('%s, and the error names it', (_what, method) => {
    expect(() => signed({ method: method as string })).toThrow(naming('INVALID', 'method'))
    expect(() => signed({ method: "M-SEARCH!#$%&'*+.^_`|~09az" })).not.toThrow()
  })

  test('no request', () => {
    for (const request of [undefined, null])
      expect(() => sign(request as never, OPTIONS)).toThrow(naming('INVALID', 'method'))
  })

  test.each<[string, unknown, string]>([
    ['caller', undefined, 'MISSING'],
    ['caller', 'Scheduler', 'INVALID'],
    ['caller', 'x'.repeat(65), 'INVALID'],
    ['version', 0, 'INVALID'],
    ['version', 2 ** 31, 'INVALID'],
    ['secret', undefined, 'MISSING'],
    ['secret', 'x'.repeat(31), 'INVALID'],
    ['secret', 7, 'INVALID'],
    ['audience', undefined, 'MISSING'],
    ['audience', 'https://billing.example.com', 'INVALID'],
    ['format', {}, 'INVALID'],
    ['format', { sign: () => ({}) }, 'INVALID'],
    ['now', -1, 'INVALID'],
    ['now', 1.5, 'INVALID'],
    ['nonce', '', 'INVALID'],
    ['nonce', 'a b', 'INVALID'],
    ['nonce', 'n'.repeat(129), 'INVALID'],
    ['nonce', 7, 'INVALID'],
    ['nonse', 'n', 'UNKNOWN'],
  ])('the option %s: %j, and the error names it', (option, value, code) => {
    expect(() => signed({}, { [option]: value })).toThrow(naming(code, option))
  })
})
