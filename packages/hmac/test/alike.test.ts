import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const rows: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

/** What a client sees of an answer, but for the time that it was given. */
async function seen(headers: Record<string, string>, body?: Buffer) {
  const { status, headers: fields, text } = await send(app.port, 'POST', '/jobs?a=1', headers, body)
  const { date: _, ...rest } = fields
  return JSON.stringify([status, rest, text])
}

describe.each(rows)('[hmac-alike] refusals of %s', (_name, format) => {
  test('are one answer, whatever is unproven', async () => {
    app = await hmacApp({ formats: [format] })
    app.secrets.insert({ caller: 'retired', version: 3, secret: 'the-secret-of-a-caller-that-was-retired' })
    app.secrets.revoke('retired', 3)
    const sign = (rest: Partial<Parameters<typeof signed>[0]> = {}) =>
      signed({ format, version: 3, now: app.clock.now(), ...rest })
    const used = sign()
    await seen(used)
    const answers = [
      await seen({}),
      await seen({ [format.reads[0] as string]: 'junk' }),
      await seen(sign({ caller: 'stranger' })),
      await seen(sign({ now: 0 })),
      await seen(sign({ version: 9 })),
      await seen(sign({ caller: 'retired' })),
      await seen(sign({ secret: 'another-secret-that-is-as-long-as-needed' })),
      await seen(sign({ audience: 'staging.example.com' })),
      await seen(used),
      await seen(sign({ body: 'hello' }), Buffer.from('jello')),
    ]
    expect(new Set(answers).size).toBe(1)
    const body = JSON.parse(JSON.parse(answers[0] as string)[2])
    expect(body).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 })
    expect(new Set(app.events.map(({ reason }) => reason)).size).toBeGreaterThan(7)
  })

  test('take alike time for an unknown caller and for a bad MAC', async () => {
    const now = Date.UTC(2026, 0, 1)
    app = await hmacApp({ formats: [format], clock: { now: () => now, monotonic: () => performance.now() } })
    const secret = 'another-secret-that-is-as-long-as-needed'
    // By turns, so that whatever else the machine does falls on both; of callers whose names are as long.
    for (let round = 0; round < 300; round += 1) {
      for (const caller of ['strangers', 'scheduler']) {
        await send(app.port, 'POST', '/jobs?a=1', signed({ format, version: 3, caller, secret, now }))
      }
    }
    const timesOf = (reason: string) =>
      app.events.filter((event) => event.reason === reason).map(({ latencyMs = 0 }) => latencyMs)
    const [unknown, bad] = [timesOf('unknown_caller'), timesOf('bad_signature')]
    expect([unknown.length, bad.length]).toEqual([300, 300])
    const median = (list: number[]) => list.sort((a, b) => a - b)[list.length / 2] as number
    const ratio = median(unknown) / median(bad)
    expect(ratio).toBeGreaterThan(0.6)
    expect(ratio).toBeLessThan(1.6)
  }, 60_000)
})
