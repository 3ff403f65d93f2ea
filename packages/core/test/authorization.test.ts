import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { type Authorization, parseAuthorization } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import { serve } from '../../../test/support/http-server.js'

/** What the parser says of these field lines, sent over HTTP as they are. */
async function parsed(...values: string[]): Promise<Authorization> {
  let result: Authorization | undefined
  const running = await serve((incoming, response) => {
    result = parseAuthorization(incoming)
    response.end()
  })
  await new Promise<void>((resolve, reject) => {
    const outgoing = httpRequest({ port: running.port, headers: { authorization: values as unknown as string } })
    if (values.length === 0) outgoing.removeHeader('authorization')
    outgoing.on('response', (response) => response.resume().on('end', resolve))
    outgoing.on('error', reject).end()
  })
  await running.close()
  return result as Authorization
}

/** The parser alone, for generated input. */
const parse = (value: string, maxTokenBytes?: number) =>
  parseAuthorization({ rawHeaders: ['Authorization', value] } as unknown as IncomingMessage, maxTokenBytes)

describe('Authorization', () => {
  test.each<[string, Authorization]>([
    ['Bearer abc.DEF-1_2~3+4/5==', { kind: 'credentials', scheme: 'bearer', token: 'abc.DEF-1_2~3+4/5==' }],
    ['bEARER a', { kind: 'credentials', scheme: 'bearer', token: 'a' }],
    ['Bearer    a', { kind: 'credentials', scheme: 'bearer', token: 'a' }],
    ['DPoP a', { kind: 'credentials', scheme: 'dpop', token: 'a' }],
    ['Bearer', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer a b', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer a,b', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer a, Bearer b', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer =', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer a=b', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer "a"', { kind: 'malformed', scheme: 'bearer' }],
    ['Bearer\ta', { kind: 'malformed', scheme: '' }],
    ['Bearer: a', { kind: 'malformed', scheme: '' }],
    ['', { kind: 'malformed', scheme: '' }],
  ])('[core-authorization] %j is read strictly', async (value, expected) => {
    expect(await parsed(value)).toEqual(expected)
  })

  test('[core-authorization] that is absent is none', async () => {
    expect(await parsed()).toEqual({ kind: 'none' })
  })

  test('[core-duplicated-authorization] twice is duplicated: Node alone would keep the first in silence', async () => {
    expect(await parsed('Bearer good', 'Bearer other')).toEqual({ kind: 'duplicated' })
    expect(await parsed('Bearer good', '')).toEqual({ kind: 'duplicated' })
    expect(await parsed('Bearer good', 'Bearer good')).toEqual({ kind: 'duplicated' })
  })

  test('[core-authorization] is capped before the token is looked at', () => {
    expect(parse(`Bearer ${'a'.repeat(8192)}`).kind).toBe('credentials')
    expect(parse(`Bearer ${'a'.repeat(8193)}`)).toEqual({ kind: 'malformed', scheme: 'bearer' })
    expect(parse(`Bearer ${'a'.repeat(11)}`, 10)).toEqual({ kind: 'malformed', scheme: 'bearer' })
    expect(parse(`${'a'.repeat(65)} b`)).toEqual({ kind: 'malformed', scheme: '' })
  })
})

describe('the parser of Authorization', () => {
  const scheme = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/)
  const token = fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,200}={0,2}$/)

  test('[core-parsers] never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(' ', 'Bearer ', '= =')),
        (value) => ['malformed', 'credentials'].includes(parse(value).kind),
      ),
    )
  })

  test('[core-parsers] prints back identically what it accepts, but for the case of the scheme', () => {
    const anything = fc.tuple(fc.oneof(scheme, fc.string()), fc.oneof(token, fc.string())).map(([a, b]) => `${a} ${b}`)
    fc.assert(
      fc.property(anything, (value) => {
        const result = parse(value)
        if (result.kind !== 'credentials') return
        expect(`${result.scheme} ${result.token}`.toLowerCase()).toBe(value.replace(/ +/, ' ').toLowerCase())
        expect(value.endsWith(result.token)).toBe(true)
      }),
    )
  })

  test('[core-parsers] accepts every scheme and token of RFC 9110', () => {
    fc.assert(
      fc.property(scheme, token, fc.integer({ min: 1, max: 4 }), (name, secret, spaces) => {
        expect(parse(`${name}${' '.repeat(spaces)}${secret}`)).toEqual({
          kind: 'credentials',
          scheme: name.toLowerCase(),
          token: secret,
        })
      }),
    )
  })

  test('[core-parsers] takes a time that grows with the length, not with its square', async () => {
    for (const unit of [' ', '=', 'a', 'a=', '= ', 'a ']) {
      const parsing = (length: number) => {
        const value = `Bearer ${unit.repeat(length / unit.length)}!`
        return () => {
          for (let round = 0; round < 5; round += 1) parse(value, 10_000_000)
        }
      }
      const { short, long } = await leastCpuMs({ short: parsing(100_000), long: parsing(1_000_000) })
      // A square would be 100 times as much for ten times the length.
      expect(long).toBeLessThan(40 * Math.max(short, 1))
    }
  })
})
