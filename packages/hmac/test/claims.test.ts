import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const OTHER = 'the-secret-of-the-other-caller-is-as-long'
const NEWER = 'the-fourth-secret-of-the-scheduler-caller'

let app: Harness
afterEach(() => app.close())

/** Two callers, one with two versions, and both formats. */
async function twoCallers(): Promise<void> {
  app = await hmacApp({ formats: [rfc9421(), xHeaders()] })
  app.secrets.insert({ caller: 'worker', version: 3, secret: OTHER })
  app.secrets.insert({ caller: 'scheduler', version: 4, secret: NEWER })
}

type Headers = Record<string, string | string[]>

async function outcome(headers: Headers): Promise<[number, string | undefined]> {
  const { status } = await send(app.port, 'POST', '/jobs?a=1', headers)
  return [status, app.last()]
}

function headersOf(format: SignatureFormat): Record<string, string> {
  app.clock.advance(1000)
  return signed({ format, version: 3, now: app.clock.now() })
}

const claimed = (
  caller: string,
  version: string,
): [string, (headers: Record<string, string>) => Headers, SignatureFormat][] => [
  [
    'rfc9421',
    (all) => ({
      ...all,
      'Signature-Input': String(all['Signature-Input']).replace('"scheduler/3"', `"${caller}/${version}"`),
    }),
    rfc9421(),
  ],
  ['xHeaders', (all) => ({ ...all, 'x-countersign-caller': caller, 'x-countersign-key-version': version }), xHeaders()],
]

describe('[hmac-swap] a signature of one caller and version', () => {
  test.each([
    ['another caller', 'worker', '3', 'bad_signature'],
    ['a stranger', 'stranger', '3', 'unknown_caller'],
    ['another version that exists', 'scheduler', '4', 'bad_signature'],
    ['a version that does not', 'scheduler', '5', 'unknown_key_version'],
    ['a leading zero', 'scheduler', '03', 'malformed'],
    ['01', 'scheduler', '01', 'malformed'],
    ['an exponent', 'scheduler', '1e2', 'malformed'],
    ['a sign', 'scheduler', '+3', 'malformed'],
    ['a point', 'scheduler', '3.0', 'malformed'],
    ['zero', 'scheduler', '0', 'malformed'],
    ['32 bits', 'scheduler', '2147483648', 'malformed'],
    ['64 bits', 'scheduler', '18446744073709551619', 'malformed'],
    ['a space', 'scheduler', '3 3', 'malformed'],
    ['an upper-case caller', 'Scheduler', '3', 'malformed'],
    ['the shared name', '*shared*', '3', 'malformed'],
    ['a caller of 65 characters', 'a'.repeat(65), '3', 'malformed'],
    ['a caller that is a member of every object', 'constructor', '3', 'unknown_caller'],
  ])('does not pass for %s', async (_what, caller, version, reason) => {
    await twoCallers()
    for (const [, change, format] of claimed(caller, version)) {
      expect(await outcome(change(headersOf(format)))).toEqual([401, reason])
    }
  })

  test('passes for what it is', async () => {
    await twoCallers()
    for (const [, change, format] of claimed('scheduler', '3')) {
      expect(await outcome(change(headersOf(format)))).toEqual([200, 'granted'])
    }
  })
})

describe('[hmac-window] the window', () => {
  const rows: [string, SignatureFormat, number, number][] = [
    ['rfc9421', rfc9421(), 300, 60],
    ['xHeaders', xHeaders(), 300, 300],
    ['rfc9421 with its own', rfc9421({ windowBackSeconds: 10, windowAheadSeconds: 0 }), 10, 0],
    ['xHeaders with its own', xHeaders({ windowBackSeconds: 1, windowAheadSeconds: 2 }), 1, 2],
  ]
  test.each(rows)('of %s is exact to the second at both ends', async (_name, format, back, ahead) => {
    app = await hmacApp({ formats: [format] })
    const at = async (ageSeconds: number) => {
      const now = app.clock.now() - ageSeconds * 1000
      await send(
        app.port,
        'PUT',
        `/age/${ageSeconds}`,
        signed({ method: 'PUT', target: `/age/${ageSeconds}`, format, version: 3, now }),
      )
      return app.last()
    }
    expect([await at(back), await at(back + 1)]).toEqual(['granted', 'expired'])
    expect([await at(-ahead), await at(-ahead - 1)]).toEqual(['granted', 'not_yet_valid'])
    expect(app.events.at(-1)?.attributes).toMatchObject({ skew_seconds: -ahead - 1 })
    expect(await at(1_700_000_000)).toBe('expired')
  })

  test('ends with expires, which is exclusive', async () => {
    app = await hmacApp({ formats: [rfc9421()] })
    const base = app.clock.now() / 1000
    const at = async (expires: number) => {
      const format = rfc9421()
      const withExpires: SignatureFormat = {
        ...format,
        sign: (input) => {
          let fields = format.sign(input)
          const parameters = fields['Signature-Input']?.replace(';nonce', `;expires=${expires};nonce`) as string
          const baseOf = (text: string) =>
            text.replace(/"@signature-params": .*$/, `"@signature-params": ${parameters.slice(5)}`)
          fields = format.sign({ ...input, mac: (text) => input.mac(baseOf(text)) })
          return { ...fields, 'Signature-Input': parameters }
        },
      }
      return outcome(signed({ format: withExpires, version: 3, now: app.clock.now() }))
    }
    expect(await at(base + 1)).toEqual([200, 'granted'])
    expect(await at(base)).toEqual([401, 'expired'])
  })
})

describe('[hmac-single] a header', () => {
  const rows: [string, SignatureFormat][] = [
    ['rfc9421', rfc9421()],
    ['xHeaders', xHeaders()],
  ]
  test.each(rows)('of %s that comes twice is 400, the same value or another', async (_name, format) => {
    app = await hmacApp({ formats: [format] })
    for (const name of Object.keys(headersOf(format))) {
      const all = headersOf(format)
      expect([name, ...(await outcome({ ...all, [name]: [all[name] ?? '', all[name] ?? ''] }))]).toEqual([
        name,
        400,
        'ambiguous',
      ])
      expect([name, ...(await outcome({ ...all, [name]: [all[name] ?? '', 'x'] }))]).toEqual([name, 400, 'ambiguous'])
    }
    const type = { 'content-type': 'text/plain' }
    const covered = signed({ format: rfc9421(), version: 3, headers: type, now: app.clock.now() })
    if (format.name === 'rfc9421') {
      expect(await outcome({ ...covered, 'content-type': ['text/plain', 'text/plain'] })).toEqual([400, 'ambiguous'])
    }
    expect(app.events.every(({ type: kind }) => kind === 'access.denied')).toBe(true)
  })

  test.each(rows)('of %s commits to it, empty or alone', async (_name, format) => {
    app = await hmacApp({ formats: [format], legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } } })
    for (const name of format.reads) {
      expect(await outcome({ [name]: '', 'x-service-key': 'old-key' })).toEqual([401, 'malformed'])
      expect(await outcome({ [name]: '1', 'x-service-key': 'old-key' })).toEqual([401, 'malformed'])
    }
    expect(await outcome({ 'x-service-key': 'old-key' })).toEqual([200, 'granted'])
  })

  test('of a second format beside a good signature is 400, whichever is the good one', async () => {
    app = await hmacApp({ formats: [rfc9421(), xHeaders()] })
    expect(await outcome({ ...headersOf(rfc9421()), 'x-countersign-key-version': '' })).toEqual([400, 'ambiguous'])
    expect(await outcome({ ...headersOf(xHeaders()), signature: '' })).toEqual([400, 'ambiguous'])
    expect(await outcome({ ...headersOf(xHeaders()), ...headersOf(rfc9421()) })).toEqual([400, 'ambiguous'])
  })
})

describe('[hmac-bytes] a signature of', () => {
  const good = () => headersOf(xHeaders())['x-countersign-signature'] as string
  test.each([
    ['non-ASCII bytes', () => '\u00e9'.repeat(64)],
    ['a non-ASCII byte in hex', () => `${good().slice(0, 63)}\u00b2`],
    ['64 characters that are not hex', () => 'g'.repeat(64)],
    ['64 characters, one not hex', () => `${good().slice(0, 63)}g`],
    ['upper-case hex', () => good().toUpperCase()],
    ['63 digits', () => good().slice(1)],
    ['65 digits', () => `${good()}0`],
    ['hex with a prefix', () => `0x${good().slice(2)}`],
  ])('%s is refused by its grammar', async (_what, signature) => {
    app = await hmacApp()
    const value = signature()
    expect(await outcome({ ...headersOf(xHeaders()), 'x-countersign-signature': value })).toEqual([401, 'malformed'])
  })

  test('non-ASCII bytes in any header is refused', async () => {
    app = await hmacApp({ formats: [rfc9421(), xHeaders()] })
    for (const format of [rfc9421(), xHeaders()]) {
      for (const name of Object.keys(headersOf(format))) {
        const all = headersOf(format)
        const [status] = await outcome({ ...all, [name]: `${all[name]}\u00e9` })
        expect([name, status]).toEqual([name, 401])
      }
    }
  })

  test.each([
    ['base64 that is not padded', (text: string) => text.replace('=:', ':')],
    [
      'base64 whose last digit has stray bits',
      (text: string) => text.replace(/.=:$/, (end) => `${next(end[0] as string)}=:`),
    ],
    ['31 bytes', () => `sig1=:${Buffer.alloc(31).toString('base64')}:`],
    ['a text', () => `sig1="${'a'.repeat(32)}"`],
  ])('%s is refused by its grammar', async (_what, change) => {
    app = await hmacApp({ formats: [rfc9421()] })
    const all = headersOf(rfc9421())
    expect(await outcome({ ...all, Signature: change(String(all.Signature)) })).toEqual([401, 'malformed'])
  })
})

/** The next digit of base64: of a last one before `=` it differs in bits that are no part of the bytes. */
function next(digit: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return digits[digits.indexOf(digit) + 1] as string
}

test('the audience binds: a list of them is tried, another one refused, whatever the Host says', async () => {
  app = await hmacApp({ formats: [rfc9421()], audience: [AUDIENCE, 'Billing.Internal:8443'] })
  const made = (audience: string) => {
    app.clock.advance(1000)
    return signed({ format: rfc9421(), version: 3, audience, secret: SECRET, now: app.clock.now() })
  }
  expect(await outcome(made('billing.internal:8443'))).toEqual([200, 'granted'])
  expect(await outcome({ ...made(AUDIENCE), host: 'staging.example.com' })).toEqual([200, 'granted'])
  expect(await outcome(made('staging.example.com'))).toEqual([401, 'bad_signature'])
  const forStaging = { ...made('staging.example.com'), host: 'staging.example.com' }
  expect(await outcome(forStaging)).toEqual([401, 'wrong_audience'])
})
