import { rfc9421, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import { type CredentialSources, readCredential } from '../src/read.js'
import { signed } from './harness.js'

const NOW = Date.UTC(2026, 0, 1)
const own = signed({ method: 'GET', now: NOW })
const foreign = { 'Signature-Input': 'proxy=("@method");created=1', Signature: `proxy=:${'A'.repeat(43)}=:` }
const tagged = signed({ method: 'GET', format: rfc9421(), version: 3, now: NOW })
const [xFormat, rfcFormat] = [xHeaders(), rfc9421()]

type Lines = Record<string, string | readonly string[]>

/** A request as Node makes it; `isUpgrade` as a gate marks one that it decides on before there is a response. */
function requestOf(lines: Lines, { method = 'GET', isUpgrade = false } = {}): Request {
  const rawHeaders = Object.entries(lines).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]))
  const request = { method, originalUrl: '/jobs?a=1', url: '/jobs?a=1', rawHeaders, headers: {}, socket: {} }
  if (isUpgrade) Object.assign(request, { [Symbol.for('countersign.upgrade/1')]: request })
  return request as unknown as Request
}

function read(lines: Lines, sources: Partial<CredentialSources> = {}, request: Parameters<typeof requestOf>[1] = {}) {
  const keyHeaders = ['x-service-key', 'authorization']
  const target = ({ originalUrl }: Request) => originalUrl
  return readCredential(requestOf(lines, request), {
    ...{ formats: [rfcFormat, xFormat], keyHeaders, reportOnly: false, target },
    ...sources,
  })
}

/** A refusal by its reason, and what its event says. */
const denied = (reason: string, attributes?: object) => ({
  outcome: 'denied',
  reason,
  ...(attributes === undefined ? {} : { detail: { attributes } }),
})
const signature = (format: string) => ({ kind: 'signature', format: expect.objectContaining({ name: format }) })
const KEY = { 'x-service-key': 'old-key' }
const NO_FORMAT = { 'x-countersign-caller': 'scheduler', 'x-countersign-timestamp': '1767225600000' }

describe('which credential decides', () => {
  test('is nothing of a request that presents none', () => {
    for (const reportOnly of [false, true]) expect(read({}, { reportOnly })).toBeUndefined()
  })

  test('is the signature, good or bad, where there is one, and the old key where there is none', () => {
    expect(read({ ...own, ...KEY })).toMatchObject({ ...signature('xHeaders'), claim: { caller: 'scheduler' } })
    expect(read({ ...tagged, ...KEY })).toMatchObject(signature('rfc9421'))
    expect(read({ ...own, 'x-countersign-signature': 'x', ...KEY })).toMatchObject(denied('malformed'))
    expect(read(KEY)).toEqual({ kind: 'key', key: 'old-key' })
  })

  test('is neither of two signatures, also where a third format finds none', () => {
    const formats = [rfcFormat, xFormat, xHeaders({ prefix: 'x-kh' })]
    expect(read({ ...own, ...tagged }, { formats })).toMatchObject(denied('ambiguous', { part: 'formats' }))
    expect(read({ ...own, ...KEY }, { formats })).toMatchObject(signature('xHeaders'))
  })

  test('with reportOnly is the old key alone, and the signature is read beside it', () => {
    const reportOnly = true
    const missing = expect.objectContaining(denied('missing'))
    expect(read({ ...own, ...KEY }, { reportOnly })).toMatchObject({
      ...{ kind: 'reported', key: { kind: 'key', key: 'old-key' }, signature: signature('xHeaders') },
    })
    expect(read(KEY, { reportOnly })).toEqual({
      ...{ kind: 'reported', key: { kind: 'key', key: 'old-key' }, signature: undefined },
    })
    expect(read(own, { reportOnly })).toMatchObject({
      kind: 'reported',
      key: missing,
      signature: signature('xHeaders'),
    })
  })

  test('is none of other applications: nothing is presented, and the event says what is missing', () => {
    const missing = denied('missing', { format: 'rfc9421', part: 'tag' })
    expect(read(foreign)).toMatchObject(missing)
    expect(read({ 'Signature-Input': foreign['Signature-Input'] }, { formats: [xFormat, rfcFormat] })).toMatchObject(
      missing,
    )
    expect(read({ ...foreign, ...KEY })).toMatchObject({ kind: 'key' })
    expect(read(foreign, { formats: [xFormat] })).toBeUndefined()
  })
})

describe('a signature is refused', () => {
  test.each<[string, Lines, object]>([
    ['a time in milliseconds', NO_FORMAT, { part: 'x-countersign-timestamp', hint: 'milliseconds' }],
    ['no time', { 'x-countersign-caller': 'scheduler' }, { part: 'x-countersign-timestamp' }],
    ['no caller', { 'x-countersign-signature': '' }, { part: 'x-countersign-caller' }],
  ])('with %s, and the event says which part', (_what, lines, attributes) => {
    const refused = read(lines) as { detail?: object }
    expect(refused).toMatchObject(denied('malformed'))
    expect(refused.detail).toStrictEqual({ attributes: { format: 'xHeaders', ...attributes } })
  })

  test('in as many header lines as Node keeps: others may have been left out', () => {
    const filled = { ...own, 'x-other': Array.from({ length: 997 }, () => '') }
    expect(read(filled)).toMatchObject(denied('malformed', { format: 'xHeaders', part: 'header_lines' }))
    expect(read({ ...filled, 'x-other': filled['x-other'].slice(1) })).toMatchObject(signature('xHeaders'))
  })

  test.each([
    ['a method other than GET', {}, 'POST'],
    ['a body', { 'Content-Length': '5' }, 'GET'],
    ['a body in chunks', { 'Transfer-Encoding': 'chunked' }, 'GET'],
  ])('on an upgrade with %s: nothing binds what follows', (_what, lines, method) => {
    for (const [format, headers] of [
      ['xHeaders', signed({ method, now: NOW })],
      ['rfc9421', signed({ method, format: rfcFormat, version: 3, now: NOW })],
    ] as const) {
      const upgrade = read({ ...headers, ...lines }, {}, { method, isUpgrade: true })
      expect(upgrade).toMatchObject(denied('malformed', { format, part: 'upgrade' }))
      expect(read({ ...headers, ...lines }, {}, { method })).toMatchObject(signature(format))
    }
    expect(read(own, {}, { isUpgrade: true })).toMatchObject(signature('xHeaders'))
  })
})

describe('the old key', () => {
  const legacy = { format: 'legacy' }

  test('is the Bearer token of Authorization, and the whole value of every other field', () => {
    expect(read({ authorization: 'Bearer old-key' })).toEqual({ kind: 'key', key: 'old-key' })
    expect(read({ 'X-Service-Key': 'Bearer old-key' })).toEqual({ kind: 'key', key: 'Bearer old-key' })
    for (const authorization of ['Basic old-key', 'Bearer', 'Bearer a b', 'old-key', '']) {
      expect(read({ authorization })).toMatchObject(denied('bad_signature', legacy))
    }
  })

  test('may come in several fields, in each once', () => {
    expect(read({ ...KEY, authorization: 'Bearer old-key' })).toEqual({ kind: 'key', key: 'old-key' })
    for (const lines of [
      { ...KEY, authorization: 'Bearer other' },
      { ...KEY, authorization: 'Basic old-key' },
      { 'x-service-key': ['old-key', 'old-key'] },
      { authorization: ['Bearer old-key', 'Bearer old-key'] },
    ]) {
      expect(read(lines)).toMatchObject(denied('ambiguous', legacy))
    }
  })

  test('is none where no field carries it', () => {
    expect(read(KEY, { keyHeaders: [] })).toBeUndefined()
    expect(read(KEY, { keyHeaders: ['authorization'] })).toBeUndefined()
  })
})
