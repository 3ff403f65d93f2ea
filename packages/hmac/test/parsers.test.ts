import { PassThrough } from 'node:stream'
import { rfc9421, xHeaders } from '@countersign/hmac'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readBody } from '../src/body/read-body.js'
import { parseTimestamp, parseVersion } from '../src/formats/grammar.js'
import { parseContentDigest, parseSignatureFields } from '../src/formats/signature-fields.js'
import { splitTarget, targetOf } from '../src/formats/target.js'

const RUNS = { numRuns: 10_000 }
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

test('parsing a header never throws', () => {
  fc.assert(
    fc.property(header, header, (a, b) => {
      parseSignatureFields(a, b, 'countersign')
      parseContentDigest(a)
      for (const format of [rfc9421(), xHeaders()]) {
        const headersDistinct = Object.fromEntries(format.reads.map((name) => [name, [a]]))
        format.parse({ method: 'GET', originalUrl: b, headersDistinct } as never)
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

test('a body in any chunks is read whole and fed back whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }), async (chunks) => {
      const request = Object.assign(new PassThrough(), { headers: { 'transfer-encoding': 'chunked' }, complete: false })
      const pending = readBody(request as never, 1000)
      for (const chunk of chunks) request.write(chunk)
      request.complete = true
      request.end()
      const body = await pending
      const whole = Buffer.concat(chunks)
      expect(whole.equals(body as Buffer)).toBe(true)
      if (whole.length === 0) return
      const again: Buffer[] = []
      for await (const chunk of request) again.push(chunk as Buffer)
      expect(whole.equals(Buffer.concat(again))).toBe(true)
    }),
    RUNS,
  )
}, 60_000)
