import { createHmac } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { readBody } from '@countersign/core/body'
import { sha256 } from '@countersign/core/gate-kit'
import { rfc9421, type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import { parseTimestamp, parseVersion, splitTarget, withoutWhitespaceAround } from '../src/formats/grammar.js'
import { parseContentDigest, parseSignatureFields } from '../src/formats/signature-fields.js'
import { targetOf } from '../src/formats/target.js'

const RUNS = { numRuns: 10_000 }
jest.setTimeout(120_000)
const fragment = fc.constantFrom(
  'sig1=',
  '(',
  '"@method"',
  ')',
  ';created=1',
  ';nonce="n"',
  ';keyid="a/1"',
  ':AA==:',
  ',',
)
const header = fc.oneof(
  fc.string(),
  fc.array(fragment).map((parts) => parts.join('')),
)

test('[hmac-generated] parsing a header never throws', () => {
  fc.assert(
    fc.property(header, header, (a, b) => {
      parseSignatureFields([a], [b], 'countersign')
      parseSignatureFields([a, b], [b, a], 'countersign')
      parseContentDigest(a)
      for (const format of [rfc9421(), xHeaders()]) {
        const rawHeaders = format.reads.flatMap((name) => [name, a])
        const claim = format.parse({ method: 'GET', rawHeaders, headersDistinct: {} } as never, () => b)
        if (claim !== undefined && !('unreadable' in claim)) claim.base('a.example.com', undefined)
      }
    }),
    RUNS,
  )
})

test('what a number grammar accepts it prints back identically', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9+e.-]{0,12}$/)), (text) => {
      for (const value of [parseTimestamp(text), parseVersion(text)]) {
        if (value !== undefined) expect(String(value)).toBe(text)
      }
    }),
    RUNS,
  )
})

test('a target is split without loss, and is the same with and without its origin', () => {
  fc.assert(
    fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
      const target = `/${path}?${query}`
      const parts = splitTarget(target)
      expect(`${parts?.path}${parts?.query}`).toBe(target)
      expect(targetOf(`https://a.example.com:8443${target}#x`)).toBe(target)
    }),
    RUNS,
  )
})

const methods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'M-SEARCH')
const piece = fc.constantFrom('a', 'b', '/', '..', '%2e', '%2F', '%20', ';', '=', '&', '+', '~', "'", '?')
const text = (maxLength: number) => fc.array(piece, { maxLength }).map((pieces) => pieces.join(''))
const targets = fc
  .tuple(text(6), text(6))
  .map(([path, query]) => `/${path.replaceAll('?', '')}${query === '' ? '' : `?${query}`}`)
  // Signed as no query at all, so rfc9421 refuses it.
  .filter((target) => !target.endsWith('?') || target.indexOf('?') !== target.length - 1)
const fields = fc.dictionary(
  fc.constantFrom('content-type', 'content-encoding', 'x-other'),
  fc.constantFrom('text/plain', 'application/json; charset=utf-8', 'gzip', '"quoted, text"', 'a  b', 'a: b'),
)
const requests = fc.record({
  method: methods,
  target: targets,
  headers: fields,
  body: fc.uint8Array({ maxLength: 64 }),
  caller: fc.constantFrom('a', 'b', 'a.b', 'a-b', '0'),
  version: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  audience: fc.constantFrom('a.example.com', 'b.example.com:8443'),
  timestamp: fc.integer({ min: 0, max: 9_999_999_999 }),
})
type Generated = typeof requests extends fc.Arbitrary<infer T> ? T : never

/** The claim that a signed request makes when it has arrived, and the text that its MAC is over. */
function arrived(format: SignatureFormat, request: Generated) {
  const { method, target, headers, body, caller, version, audience, timestamp } = request
  const options = { caller, version, secret: 'x'.repeat(32), audience, format, now: timestamp * 1000, nonce: 'n' }
  const signed = sign({ method, url: target, headers, body }, options)
  const rawHeaders = Object.entries({ ...headers, ...signed }).flat()
  const claim = format.parse({ method, rawHeaders } as never, () => target)
  if (claim === undefined || 'unreadable' in claim) throw new Error(claim?.part)
  return { claim, base: claim.base(audience, sha256(body)) }
}

test.each([
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
])('[hmac-generated] what is signed in %s arrives as it was, and its MAC is over the same text', (_name, format) => {
  fc.assert(
    fc.property(requests, (request) => {
      const { claim, base } = arrived(format, request)
      expect([claim.caller, claim.version, claim.timestamp]).toEqual([
        request.caller,
        request.version,
        request.timestamp,
      ])
      const mac = createHmac('sha256', 'x'.repeat(32)).update(base, 'latin1').digest()
      expect(mac.equals(claim.signature)).toBe(true)
    }),
    RUNS,
  )
})

test.each([
  ['rfc9421', rfc9421(), ['content-type', 'content-encoding']],
  ['xHeaders', xHeaders(), []],
])('[hmac-generated] two requests that differ in what %s binds have two texts', (name, format, bound) => {
  const identity = ({ headers, body, version, ...rest }: Generated) =>
    JSON.stringify([
      rest,
      [...body],
      bound.map((field) => headers[field]),
      // In xHeaders the version says which key to try, and is not part of the text.
      name === 'rfc9421' ? version : 0,
    ])
  fc.assert(
    fc.property(
      requests,
      requests,
      fc.constantFrom('all', 'method', 'target', 'body', 'caller', 'audience', 'timestamp'),
      (a, other, part) => {
        const b = part === 'all' ? other : { ...a, [part]: other[part as keyof Generated] }
        const isSame = identity(a) === identity(b)
        expect(arrived(format, a).base === arrived(format, b).base).toBe(isSame)
      },
    ),
    RUNS,
  )
})

const pieces = fc.array(fc.record({ chunk: fc.uint8Array({ minLength: 1, maxLength: 40 }), isAlone: fc.boolean() }), {
  maxLength: 8,
})

/** A request as an adapter builds it. */
const builtBy = (rawHeaders: string[]) => Object.assign(new PassThrough(), { rawHeaders, complete: false })

/** A request that Node's HTTP/1 parser is working on. */
function messageOf(rawHeaders: string[]) {
  const request = builtBy(rawHeaders)
  return Object.assign(request, { socket: { parser: { incoming: request } } })
}

test('a body of a declared length is read when its last byte is there', async () => {
  const request = messageOf(['Content-Length', '5'])
  const pending = readBody(request as never, 1000)
  request.write('hello')
  expect(String(await pending)).toBe('hello')
  request.end()
  expect(String(await request.toArray())).toBe('hello')
})

test('[hmac-generated] a body in any chunks, at once or one by one, is read whole and fed back whole', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, fc.boolean(), fc.boolean(), fc.boolean(), async (parts, isThere, isDeclared, isFramed) => {
      const whole = Buffer.concat(parts.map(({ chunk }) => chunk))
      const rawHeaders = isDeclared ? ['Content-Length', String(whole.length)] : ['Transfer-Encoding', 'chunked']
      const request = isFramed ? messageOf(rawHeaders) : builtBy(rawHeaders)
      const early = isThere ? undefined : readBody(request as never, 1000)
      for (const { chunk, isAlone } of parts) {
        request.write(chunk)
        if (isAlone) await new Promise(setImmediate)
      }
      request.complete = true
      request.end()
      const body = await (early ?? readBody(request as never, 1000))
      expect(whole.equals(body as Buffer)).toBe(true)
      if (whole.length === 0) return
      const again: Buffer[] = []
      for await (const chunk of request) again.push(chunk as Buffer)
      expect(whole.equals(Buffer.concat(again))).toBe(true)
    }),
    RUNS,
  )
})

test.each([
  ['a run of spaces in a covered field', (length: number) => ({ 'x-run': `a${' '.repeat(length)}b` })],
  ['a run of tabs in a covered field', (length: number) => ({ 'x-run': `a${'\t'.repeat(length)}b` })],
])('the text that is signed is made in linear time for %s', async (_what, fieldsOf) => {
  const format = rfc9421()
  const making = (length: number) => {
    const headers = fieldsOf(length)
    const signed = sign(
      { method: 'GET', url: '/', headers },
      { caller: 'a', version: 1, secret: 'x'.repeat(32), audience: 'a.example.com' },
    )
    const covered = {
      ...signed,
      'Signature-Input': String(signed['Signature-Input']).replace('" "@path"', '" "x-run" "@path"'),
    }
    const rawHeaders = Object.entries({ ...headers, ...covered }).flat()
    const claim = format.parse({ method: 'GET', rawHeaders } as never, () => '/')
    if (claim === undefined || 'unreadable' in claim) throw new Error(claim?.part)
    return () => {
      for (let round = 0; round < 20; round += 1) claim.base('a.example.com', undefined)
    }
  }
  const { short, long } = await leastCpuMs({ short: making(1000), long: making(64_000) })
  // 64 times the length: quadratic work would take 4096 times as long.
  expect(long).toBeLessThan(500 * Math.max(short, 0.1))
})

test('whitespace around a field is not signed, a no-break space is', () => {
  expect([' a b\t', '\t \t', '', '\u00a0a'].map(withoutWhitespaceAround)).toEqual(['a b', '', '', '\u00a0a'])
})
