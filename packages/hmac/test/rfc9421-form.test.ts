import { createHash } from 'node:crypto'
import { type Rfc9421Options, rfc9421, sign } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import type { SignatureClaim } from '../src/formats/format.js'
import { AUDIENCE, SECRET } from './harness.js'

const DIGEST = `sha-256=:${createHash('sha256').update('{}').digest('base64')}:`
const PARAMETERS = ';created=1700000000;nonce="n-1";keyid="scheduler/3";tag="countersign"'
const REQUIRED = ['@method', '@authority', '@path', '@query', 'content-digest']

type Lines = Record<string, string | readonly string[] | undefined>

/** The header fields of a signature over these components. Nothing is proven here: its bytes are any. */
function covering(components: readonly string[], lines: Lines = {}, parameters = PARAMETERS): Lines {
  return {
    'Content-Digest': DIGEST,
    'Signature-Input': `sig1=(${components.map((name) => `"${name}"`).join(' ')})${parameters}`,
    Signature: `sig1=:${Buffer.alloc(32, 7).toString('base64')}:`,
    ...lines,
  }
}

function parse(lines: Lines, options: Rfc9421Options = {}, target = '/jobs?a=1') {
  const rawHeaders = Object.entries(lines).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((one) => [name, one]),
  )
  const request = { method: 'POST', rawHeaders, headers: {} } as unknown as Request
  return rfc9421(options).parse(request, () => target)
}
const baseOf = (...args: Parameters<typeof parse>) => (parse(...args) as SignatureClaim).base(AUDIENCE, undefined)
const malformed = (part: string) => ({ unreadable: 'malformed', part })

describe('a claim', () => {
  test('has what the header fields say, and needs no body for its MAC', () => {
    expect(parse(covering(REQUIRED))).toMatchObject({
      ...{ caller: 'scheduler', version: 3, timestamp: 1_700_000_000, expires: undefined, nonce: 'n-1' },
      ...{ signature: Buffer.alloc(32, 7), isRepeatable: false },
      digests: [{ algorithm: 'sha256', value: createHash('sha256').update('{}').digest() }],
    })
    const ending = PARAMETERS.replace(';nonce', ';expires=1700000060;nonce')
    expect(parse(covering(REQUIRED, {}, ending))).toMatchObject({ expires: 1_700_000_060 })
  })

  test('is none where neither of its fields is there, and where all are of another application', () => {
    expect(parse({ 'Content-Digest': DIGEST })).toBeUndefined()
    expect(parse(covering(REQUIRED), { tag: 'other' })).toBeUndefined()
    expect(parse({ 'Signature-Input': 'proxy=("@path");created=1' })).toBeUndefined()
    for (const [name, part] of [
      ['Signature', 'signature'],
      ['Signature-Input', 'signature-input'],
    ] as const) {
      expect(parse(covering(REQUIRED, { [name]: undefined }))).toEqual(malformed(part))
    }
  })

  test('is found on a line of its own beside one of another application', () => {
    const { 'Signature-Input': input = '', Signature: signature = '' } = covering(REQUIRED)
    const lines = {
      'Signature-Input': ['proxy=("@path");created=1', input].flat(),
      Signature: [signature, 'proxy=:AAAA:'].flat(),
    }
    expect(parse(covering(REQUIRED, lines))).toMatchObject({ caller: 'scheduler' })
  })

  test('signs each component on a line of its own, in their order, then the parameters', () => {
    const components = ['@query', 'content-digest', '@authority', 'x-other', '@path', 'content-type', '@method']
    const lines = { 'X-Other': ' \ta  b\t', 'Content-Type': 'application/json' }
    for (let time = 0; time < 2; time += 1) {
      expect(baseOf(covering(components, lines)).split('\n')).toEqual([
        '"@query": ?a=1',
        `"content-digest": ${DIGEST}`,
        `"@authority": ${AUDIENCE}`,
        '"x-other": a  b',
        '"@path": /jobs',
        '"content-type": application/json',
        '"@method": POST',
        `"@signature-params": (${components.map((name) => `"${name}"`).join(' ')})${PARAMETERS}`,
      ])
    }
  })

  test('signs a question mark for a target without a query, so one with a bare question mark is refused', () => {
    expect(baseOf(covering(REQUIRED), {}, '/jobs').split('\n').slice(2, 4)).toEqual(['"@path": /jobs', '"@query": ?'])
    expect(parse(covering(REQUIRED), {}, '/jobs?')).toEqual(malformed('target'))
    expect(parse(covering(REQUIRED), {}, '/jobs??')).toMatchObject({ caller: 'scheduler' })
    expect(parse(covering(REQUIRED), {}, `https://${AUDIENCE}/jobs`)).toEqual(malformed('target'))
  })
})

describe('covered must be', () => {
  test.each(REQUIRED)('%s, on each request', (name) => {
    for (let time = 0; time < 2; time += 1) {
      expect(parse(covering(REQUIRED.filter((one) => one !== name)))).toEqual(malformed(name))
    }
  })

  test.each(['content-type', 'content-encoding'])('%s where it is sent, and only there', (name) => {
    for (let time = 0; time < 2; time += 1) {
      expect(parse(covering(REQUIRED, { [name]: 'a' }))).toEqual(malformed(name))
      expect(parse(covering(REQUIRED))).toMatchObject({ caller: 'scheduler' })
      expect(baseOf(covering([...REQUIRED, name], { [name]: 'a' }))).toContain(`\n"${name}": a\n`)
    }
    expect(parse(covering([...REQUIRED, name]))).toEqual(malformed('components'))
  })

  test('each of requiredFields, sent or not', () => {
    const options = { requiredFields: ['X-A', 'content-type', 'content-digest'] }
    const lines = { 'x-a': '1', 'content-type': 'text/plain' }
    expect(parse(covering(REQUIRED, lines), options)).toEqual(malformed('x-a'))
    expect(parse(covering([...REQUIRED, 'x-a']), options)).toEqual(malformed('content-type'))
    expect(parse(covering([...REQUIRED, 'x-a', 'content-type'], { 'x-a': '1' }), options)).toEqual(
      malformed('components'),
    )
    expect(baseOf(covering([...REQUIRED, 'x-a', 'content-type'], lines), options)).toContain(
      `"content-digest": ${DIGEST}\n"x-a": 1\n"content-type": text/plain\n"@signature-params"`,
    )
  })
})

describe('a field that is covered', () => {
  test.each(['content-digest', 'content-type', 'x-other'])('comes once: of two lines of %s none is taken', (name) => {
    const components = [...new Set([...REQUIRED, name])]
    const twice = covering(components, { 'Content-Digest': undefined, 'content-digest': DIGEST, [name]: ['a', 'b'] })
    expect(parse(twice)).toEqual({ unreadable: 'ambiguous', part: 'components' })
    expect(parse(covering(REQUIRED, { 'x-free': ['a', 'b'] }))).toMatchObject({ caller: 'scheduler' })
  })

  test('is sent: one that only every object has is not', () => {
    for (const name of ['x-other', 'constructor', '__proto__']) {
      expect(parse(covering([...REQUIRED, name]))).toEqual(malformed('components'))
    }
    expect(baseOf(covering([...REQUIRED, 'x-other'], { 'x-other': '' }))).toContain('\n"x-other": \n')
  })

  test('is a digest that we can compute', () => {
    for (const digest of ['md5=:AAAA:', '', 'sha-256=abc']) {
      expect(parse(covering(REQUIRED, { 'Content-Digest': digest }))).toEqual(malformed('content-digest'))
    }
  })
})

describe('sign', () => {
  const options = { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, now: 1_700_000_000_999 }
  const request = { method: 'POST', url: '/jobs?a=1', body: Buffer.from('{}') }
  const signWith = (change: object = {}, own: Rfc9421Options = {}) =>
    sign({ ...request, ...change }, { ...options, nonce: 'n-1', format: rfc9421(own) })

  test('covers what is required, what says what the bytes mean, and requiredFields, and is read again', () => {
    const headers = { 'Content-Encoding': 'gzip', 'x-a': ' 1 ', 'Content-Type': 'a/b', 'x-other': '2' }
    const names = [...REQUIRED, 'content-type', 'content-encoding', 'x-a'].map((name) => `"${name}"`).join(' ')
    const own = { requiredFields: ['X-A'], tag: 'my-app' }
    const signed = signWith({ headers }, own)
    expect(signed['Signature-Input']).toBe(
      `sig1=(${names});created=1700000000;nonce="n-1";keyid="scheduler/3";alg="hmac-sha256";tag="my-app"`,
    )
    expect(signed['Content-Digest']).toBe(DIGEST)
    expect(signed.Signature).toMatch(/^sig1=:[A-Za-z0-9+/]{43}=:$/)
    expect(baseOf({ ...headers, ...signed }, own)).toContain('\n"x-a": 1\n"@signature-params": (')
  })

  test('covers nothing twice, whatever requiredFields names', () => {
    const headers = { 'content-type': 'a/b', 'content-encoding': 'gzip' }
    const own = { requiredFields: ['content-encoding', 'content-digest', 'content-type'] }
    const names = [...REQUIRED, 'content-encoding', 'content-type'].map((name) => `"${name}"`).join(' ')
    expect(signWith({ headers }, own)['Signature-Input']).toContain(`(${names});`)
    expect(rfc9421(own).acceptSignature).toContain(`(${names});`)
  })

  test('makes a nonce of its own, each time another', () => {
    const own = () => sign(request, { ...options, format: rfc9421() })['Signature-Input'] ?? ''
    const nonces = [own(), own()].map((input) => /;nonce="([\w-]{22})"/.exec(input)?.[1])
    expect(new Set([undefined, ...nonces]).size).toBe(3)
  })

  test.each<[string, () => unknown, string, string]>([
    ['no version', () => sign(request, { ...options, version: undefined }), 'MISSING', 'version'],
    ['a bare question mark', () => signWith({ url: 'https://host/jobs?' }), 'INVALID', 'url'],
    ['a field of requiredFields left out', () => signWith({}, { requiredFields: ['x-a'] }), 'MISSING', 'headers'],
  ])('signs nothing with %s, and the error names it', (_what, work, code, option) => {
    expect(work).toThrow(
      expect.objectContaining({
        ...{ code: `ERR_COUNTERSIGN_OPTION_${code}`, option },
        message: expect.stringMatching(new RegExp(`^sign: .*"(?:${option}|x-a)"`)),
      }),
    )
  })
})

describe('the format', () => {
  test('says what it asks for, reads and binds', () => {
    const { acceptSignature, ...format } = rfc9421({ tag: 'my-app', requiredFields: ['x-a'], windowAheadSeconds: 0 })
    expect(acceptSignature).toBe(
      `sig1=(${[...REQUIRED, 'x-a'].map((name) => `"${name}"`).join(' ')});created;alg="hmac-sha256";tag="my-app"`,
    )
    expect(format).toMatchObject({
      ...{ name: 'rfc9421', reads: ['signature-input', 'signature'], requiredFields: ['x-a'], bindsAudience: true },
      ...{ windowBackSeconds: 300, windowAheadSeconds: 0 },
    })
  })

  test('has a tag of 1 to 64 characters', () => {
    for (const tag of ['a', 'A-Z._:/-09', 'x'.repeat(64)]) expect(() => rfc9421({ tag })).not.toThrow()
    for (const tag of ['', 'x'.repeat(65), '"', 'a b', 'a;b', 'a\n', '\u00e4', ' a']) {
      expect(() => rfc9421({ tag })).toThrow(/^rfc9421: .*"tag".*1 to 64/)
    }
  })

  test('signs no field that it writes itself', () => {
    for (const name of ['Signature', 'signature-input']) {
      expect(() => rfc9421({ requiredFields: [name] })).toThrow(/^rfc9421: .*"requiredFields"/)
    }
  })
})
