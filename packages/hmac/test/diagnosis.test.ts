import { rfc9421, xHeaders } from '@countersign/hmac'
import { afterEach, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

type Fields = Record<string, string | string[]>

/** The last event's reason and attributes, after a refused request whose answer says nothing of them. */
async function refused(fields: Fields, body?: Uint8Array, target = '/jobs?a=1') {
  const { status, text } = await send(app.port, 'POST', target, fields, body)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(text).not.toMatch(/part|seconds|limit|audience/)
  const { reason, attributes } = app.events.at(-1) ?? {}
  return { reason, attributes }
}

const formats = [rfc9421(), xHeaders()]
const now = () => app.clock.now()

test('an event of a signature outside the window says by how many seconds, and how long the window is', async () => {
  app = await hmacApp({ formats })
  for (const [format, back, ahead] of [[rfc9421(), 300, 60] as const, [xHeaders(), 300, 300] as const]) {
    expect(await refused(signed({ format, version: 3, now: now() - 400_000 }))).toMatchObject({
      reason: 'expired',
      attributes: { skew_seconds: 400, late_by_seconds: 400 - back, window_seconds: back },
    })
    expect(await refused(signed({ format, version: 3, now: now() + 900_000 }))).toMatchObject({
      reason: 'not_yet_valid',
      attributes: { skew_seconds: -900, early_by_seconds: 900 - ahead, window_seconds: ahead },
    })
  }
})

test('an event of a signature past its own end says by how many seconds', async () => {
  app = await hmacApp({ formats })
  const all = signed({ format: rfc9421(), version: 3, now: now() })
  const input = String(all['Signature-Input']).replace(';nonce', `;expires=${now() / 1000 - 7};nonce`)
  expect(await refused({ ...all, 'Signature-Input': input })).toMatchObject({
    reason: 'expired',
    attributes: { skew_seconds: 0, late_by_seconds: 7 },
  })
})

test('an event of a signature for another service says for which, and who we are', async () => {
  app = await hmacApp({ formats, audience: [AUDIENCE, 'pay.example.com'] })
  const all = signed({ format: rfc9421(), version: 3, now: now(), audience: 'other.example.com' })
  expect(await refused({ ...all, host: 'other.example.com' })).toMatchObject({
    reason: 'wrong_audience',
    attributes: { audiences: 'other.example.com', expected_audiences: `${AUDIENCE} pay.example.com` },
  })
})

test('an event of a body that is too large says the limit', async () => {
  app = await hmacApp({ formats, maxBodyBytes: 100 })
  for (const format of formats) {
    const body = Buffer.alloc(101)
    expect(await refused(signed({ format, version: 3, now: now(), body }), body)).toMatchObject({
      reason: 'body_too_large',
      attributes: { limit_bytes: 100 },
    })
  }
})

test('an event of a malformed signature says which part, in a word of ours', async () => {
  app = await hmacApp({ formats })
  const all = signed({ format: rfc9421(), version: 3, now: now(), headers: { 'content-type': 'text/plain' } })
  const input = String(all['Signature-Input'])
  const changed = (from: string | RegExp, to: string) => ({ 'Signature-Input': input.replace(from, to) })
  const cases: [string, Fields][] = [
    ['signature-input', { 'Signature-Input': '"' }],
    ['signature', { Signature: 'sig1=?1' }],
    ['tag', changed('tag="countersign"', 'tag="theirs"')],
    ['components', changed('"@path"', '"@path" "@path"')],
    ['components', changed('"@path"', '"@path" "x-not-sent"')],
    ['@path', changed('"@path" ', '')],
    ['content-type', changed(' "content-type"', '')],
    ['content-digest', { 'Content-Digest': 'md5=:AAAA:' }],
    ['created', changed(/created=\d+/, 'created="now"')],
    ['expires', changed(';nonce', ';expires="never";nonce')],
    ['nonce', changed(/nonce="[^"]*"/, 'nonce=1')],
    ['alg', changed('hmac-sha256', 'rsa-v1_5-sha256')],
    ['keyid', changed('scheduler/3', 'scheduler/03')],
    ['parameters', changed(';nonce', ';purpose="any";nonce')],
  ]
  const headers = { ...all, 'content-type': 'text/plain' }
  for (const [part, fields] of cases) {
    expect(await refused({ ...headers, ...fields })).toEqual({
      // Without our tag it is a signature of another application, and ours is missing.
      reason: part === 'tag' ? 'missing' : 'malformed',
      attributes: { format: 'rfc9421', part },
    })
  }
  expect((await refused(headers, undefined, '/jobs?')).attributes).toEqual({ format: 'rfc9421', part: 'target' })
  expect(await refused({ ...headers, Signature: [String(all.Signature), String(all.Signature)] })).toEqual({
    reason: 'ambiguous',
    attributes: { format: 'rfc9421', part: 'signature' },
  })
})

test('an event of malformed signature header fields says which of them', async () => {
  app = await hmacApp({ formats: [xHeaders({ prefix: 'x-acme' })] })
  const format = xHeaders({ prefix: 'x-acme' })
  for (const name of ['caller', 'timestamp', 'signature', 'key-version']) {
    const fields = { ...signed({ format, version: 3, now: now() }), [`x-acme-${name}`]: '-1' }
    const { reason, attributes } = await refused(fields)
    expect([reason, attributes]).toEqual(['malformed', { format: 'xHeaders', part: `x-acme-${name}` }])
  }
})

test('an event of a time in milliseconds says so, and that of another wrong time does not', async () => {
  app = await hmacApp({ formats })
  const all = signed({ format: rfc9421(), version: 3, now: now() })
  const input = String(all['Signature-Input'])
  const created = (text: string) => refused({ ...all, 'Signature-Input': input.replace(/created=(\d+)/, text) })
  const attributes = { format: 'rfc9421', part: 'created' }
  expect(await created('created=$1000')).toEqual({
    reason: 'malformed',
    attributes: { ...attributes, hint: 'milliseconds' },
  })
  expect((await created('created=$1.123')).attributes).toEqual(attributes)
  expect((await created('created=-$1000')).attributes).toEqual(attributes)
  expect((await created('created="$1000"')).attributes).toEqual({ ...attributes, hint: 'milliseconds' })
  expect((await created('created=$1;expires=$1000')).attributes).toEqual({
    format: 'rfc9421',
    part: 'expires',
    hint: 'milliseconds',
  })
  const own = signed({ now: now() })
  const timestamp = async (text: string) => (await refused({ ...own, 'x-countersign-timestamp': text })).attributes
  const format = { format: 'xHeaders', part: 'x-countersign-timestamp' }
  expect(await timestamp(String(now()))).toEqual({ ...format, hint: 'milliseconds' })
  expect(await timestamp('1e12')).toEqual(format)
  expect(await timestamp(`0${now()}`)).toEqual(format)
})
