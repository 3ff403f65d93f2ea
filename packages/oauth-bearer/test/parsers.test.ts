import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createScopeCheck } from '../src/demand.js'
import { parseJws } from '../src/jwt/parse-jws.js'
import { freshMs } from '../src/keys/freshness.js'
import { decodeBase64url, parseJsonObject } from '../src/strict-encoding.js'
import { encode } from './forge.js'

const bytes = fc.uint8Array({ maxLength: 64 })

describe('parsers, with generated input', () => {
  test('accepted base64url prints back identically, and all bytes can be encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABCabc019-_=+/ .') }), (text) => {
        const decoded = decodeBase64url(text)
        expect(decoded === undefined || decoded.toString('base64url') === text).toBe(true)
      }),
    )
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeBase64url(Buffer.from(value).toString('base64url'))).toEqual(Buffer.from(value))
      }),
    )
  })

  test('a serialised JSON object is read unchanged, but for members that are null', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = JSON.stringify(value)
        const members = Object.entries(JSON.parse(text) as object).filter(([, member]) => member !== null)
        expect(Object.entries(parseJsonObject(Buffer.from(text)) ?? {})).toEqual(members)
      }),
    )
  })

  test('a duplicate member is found at any depth and in any spelling', () => {
    const spell = (name: string) => [...JSON.stringify(name).slice(1, -1)].join('')
    const escaped = (name: string) =>
      [...name].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 8 }),
        fc.jsonValue({ maxDepth: 2 }),
        fc.nat(4),
        (name, value, depth) => {
          const twice = `{"${spell(name)}":1,"${escaped(name)}":${JSON.stringify(value)}}`
          const nested = `${'{"a":['.repeat(depth)}${twice}${']}'.repeat(depth)}`
          expect(parseJsonObject(Buffer.from(nested))).toBeUndefined()
        },
      ),
    )
  })

  test('no input makes a parser throw', () => {
    fc.assert(fc.property(bytes, (value) => void parseJsonObject(Buffer.from(value))))
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseJws(text)))
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.string(), (header, payload, rest) => {
        const jws = parseJws(`${encode(header)}.${encode(payload)}.${rest}`)
        if (typeof jws !== 'string') expect(typeof jws.header.alg).toBe('string')
      }),
    )
  })

  test('a key set is fresh for 1 min to 1 h, whatever its header fields say', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (control, age) => {
        const ms = freshMs({ 'cache-control': control, age })
        expect(ms).toBeGreaterThanOrEqual(60_000)
        expect(ms).toBeLessThanOrEqual(3_600_000)
      }),
    )
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (maxAge, age) => {
        const ms = freshMs({ 'cache-control': `public, max-age=${maxAge}`, age: String(age) })
        expect(ms).toBe(Math.min(3_600_000, Math.max(60_000, (maxAge - age) * 1000)))
      }),
    )
  })

  test('a scope covers what can be reached from it', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const graph = fc.dictionary(fc.constantFrom(...names), fc.uniqueArray(fc.constantFrom(...names)))
    const reachable = (
      from: string,
      to: string,
      implies: Record<string, string[]>,
      seen = new Set<string>(),
    ): boolean => {
      if (from === to) return true
      if (seen.has(from)) return false
      seen.add(from)
      return (implies[from] ?? []).some((next) => reachable(next, to, implies, seen))
    }
    fc.assert(
      fc.property(graph, fc.constantFrom(...names), fc.constantFrom(...names), (implies, granted, needed) => {
        expect(createScopeCheck(implies)([granted], [needed])).toBe(reachable(granted, needed, implies))
      }),
    )
  })
})
