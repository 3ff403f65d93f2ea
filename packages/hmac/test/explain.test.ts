import { memoryReplay } from '@countersign/core'
import { memorySecrets, rfc9421, type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { type ExplainSignatureOptions, explainSignature, meanings, parseCoverage } from '@countersign/hmac/explain'
import { afterEach, describe, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, SECRET, send } from './harness.js'

const NOW = Date.UTC(2026, 0, 1)
const secrets = memorySecrets([
  { caller: 'scheduler', version: 3, secret: SECRET },
  { caller: 'retired', version: 3, secret: SECRET },
])
secrets.revoke('retired', 3)
const BODY = Buffer.from('{"a":1}')

let app: Harness | undefined
afterEach(async () => {
  await app?.close()
  app = undefined
})

interface Signed {
  readonly caller?: string
  readonly version?: number
  readonly secret?: string
  readonly audience?: string
  readonly at?: number
}

function request(format: SignatureFormat, { at = NOW, ...rest }: Signed = {}) {
  const url = `https://staging.example.com/jobs?a=1`
  const options = { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, format, now: at, ...rest }
  return { method: 'POST', url, headers: sign({ method: 'POST', url, body: BODY }, options), body: BODY }
}

const explained = (parts: Parameters<typeof explainSignature>[0], options: Partial<ExplainSignatureOptions> = {}) =>
  explainSignature(parts, { secrets, audience: AUDIENCE, now: NOW, ...options })

/** The step at which a decision ended, and with what. */
async function end(...args: Parameters<typeof explained>) {
  const { verdict, steps } = await explained(...args)
  const ending =
    verdict.outcome === 'granted' ? 'granted' : verdict.outcome === 'denied' ? verdict.reason : verdict.dependency
  return [steps.find(({ outcome }) => outcome !== 'passed')?.step, ending]
}

describe.each([
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
])('explainSignature, in %s,', (name, format) => {
  const formats = [format]

  test('tells a grant, the claim and the text that is signed', async () => {
    const explanation = await explained(request(format), { formats })
    expect(explanation.verdict).toMatchObject({ outcome: 'granted', principal: { id: 'scheduler', keyVersion: 3 } })
    const order =
      name === 'rfc9421' ? ['signature', 'audience', 'body', 'replay'] : ['body', 'signature', 'audience', 'replay']
    expect(explanation.steps).toEqual(
      ['form', 'caller', 'window', 'key', ...order].map((step) => ({ step, outcome: 'passed' })),
    )
    expect(explanation.meaning).toBeUndefined()
    expect(explanation.claim).toMatchObject({ format: name, caller: 'scheduler', version: 3, timestamp: NOW / 1000 })
    expect(explanation.claim?.base).toContain(AUDIENCE)
  })

  test('tells where a decision ends, and what that means', async () => {
    const good = request(format)
    const [first = ''] = format.reads
    expect(await end({ ...good, headers: {} }, { formats })).toEqual(['form', 'missing'])
    expect(await end({ ...good, headers: { [first]: '"x' } }, { formats })).toEqual(['form', 'malformed'])
    expect(await end({ ...good, headers: { [first]: ['x', 'x'] } }, { formats })).toEqual(['form', 'ambiguous'])
    expect(await end(request(format, { caller: 'stranger' }), { formats })).toEqual(['caller', 'unknown_caller'])
    expect(await end(good, { formats, now: NOW + 301_000 })).toEqual(['window', 'expired'])
    expect(await end(good, { formats, now: NOW - 301_000 })).toEqual(['window', 'not_yet_valid'])
    expect(await end(request(format, { version: 9 }), { formats })).toEqual(['key', 'unknown_key_version'])
    expect(await end(request(format, { caller: 'retired' }), { formats })).toEqual(['key', 'no_active_secret'])
    expect(await end(request(format, { secret: 'x'.repeat(40) }), { formats })).toEqual(['signature', 'bad_signature'])
    const forHost = request(format, { audience: 'staging.example.com' })
    expect(await end(forHost, { formats })).toEqual(['audience', 'wrong_audience'])
    expect(await end(good, { formats, maxBodyBytes: 3 })).toEqual(['body', 'body_too_large'])
    const changed = name === 'rfc9421' ? ['body', 'digest_mismatch'] : ['signature', 'bad_signature']
    expect(await end({ ...good, body: Buffer.from('{}') }, { formats })).toEqual(changed)
    const { meaning, steps } = await explained(good, { formats, now: NOW + 301_000 })
    expect(meaning).toBe(meanings.expired)
    expect(steps.map(({ outcome }) => outcome).slice(0, 4)).toEqual(['passed', 'passed', 'failed', 'not_reached'])
  })

  test('claims nothing unless it is given a store, and tells an outage as unknown', async () => {
    const good = request(format)
    expect([await end(good, { formats }), await end(good, { formats })]).toEqual([
      [undefined, 'granted'],
      [undefined, 'granted'],
    ])
    const replay = memoryReplay()
    expect([await end(good, { formats, replay }), await end(good, { formats, replay })]).toEqual([
      [undefined, 'granted'],
      ['replay', 'replayed'],
    ])
    const down = { claim: () => Promise.reject(new Error('down')) }
    expect(await end(good, { formats, replay: down })).toEqual(['replay', 'replay_store'])
    const { steps } = await explained(good, { formats, replay: down })
    expect(steps.at(-1)).toEqual({ step: 'replay', outcome: 'unknown' })
  })

  test('says what the gate says, of every request', async () => {
    const changes: Signed[] = [
      {},
      { caller: 'stranger' },
      { at: NOW - 400_000 },
      { at: NOW + 400_000 },
      { version: 7 },
      { secret: 'x'.repeat(40) },
      { audience: 'staging.example.com' },
      { audience: 'third.example.com' },
    ]
    app = await hmacApp({ formats, clock: { now: () => NOW, monotonic: () => performance.now() } })
    for (const change of changes) {
      const parts = request(format, change)
      const headers = { ...parts.headers, host: 'staging.example.com' }
      await send(app.port, parts.method, '/jobs?a=1', headers, parts.body)
      expect([change, (await end(parts, { formats }))[1]]).toEqual([change, app.last()])
    }
  })
})

test('a path stands for an absolute URL, and a wrong option throws', async () => {
  const { url, ...rest } = request(rfc9421())
  expect(await end({ ...rest, url: new URL(url).pathname + new URL(url).search })).toEqual([undefined, 'granted'])
  await expect(explained(request(rfc9421()), { now: Number.NaN })).rejects.toMatchObject({ option: 'now' })
  await expect(explained(request(rfc9421()), { audiense: 'x' } as never)).rejects.toThrow(
    'explainSignature: unknown option "audiense". Did you mean "audience"?',
  )
})

test('what a signature covers is read from Signature-Input, and what is asked for from Accept-Signature', () => {
  const { headers } = request(rfc9421({ tag: 'mine' }))
  const components = ['@method', '@authority', '@path', '@query', 'content-digest']
  expect(parseCoverage(headers['Signature-Input'] ?? '')).toEqual({ tag: 'mine', components })
  expect(parseCoverage(rfc9421().acceptSignature ?? '')).toEqual({ tag: 'countersign', components })
  expect([parseCoverage(''), parseCoverage('a=1'), parseCoverage('a=("x";req)')]).toEqual(Array(3).fill(undefined))
})

test('explains that a time is in milliseconds', async () => {
  const parts = request(rfc9421())
  const input = String(parts.headers['Signature-Input']).replace(/created=\d+/, '$&000')
  const { verdict, meaning } = await explained({ ...parts, headers: { ...parts.headers, 'Signature-Input': input } })
  expect(verdict).toMatchObject({ outcome: 'denied', reason: 'malformed' })
  expect(meaning).toBe(
    'A header field breaks the grammar, or the body ended early. ' +
      'The time of the signature is in milliseconds: send seconds since the epoch.',
  )
})
