import { type Challenge, denied, formatChallenge, formatChallenges, quote } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import request from 'supertest'
import { decides, keyApp } from './harness.js'

/** Reads a quoted-string of RFC 9110 §5.6.4, or undefined. */
function unquote(text: string): string | undefined {
  if (!/^"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"$/.test(text)) return undefined
  return text.slice(1, -1).replace(/\\(.)/g, '$1')
}

describe('a quoted string', () => {
  test.each([
    ['plain', '"plain"'],
    ['', '""'],
    ['say "hi"', '"say \\"hi\\""'],
    ['back\\slash', '"back\\\\slash"'],
    ['a\r\nSet-Cookie: b=1', '"aSet-Cookie: b=1"'],
    ['a\u0000b\u007fc', '"abc"'],
    ['zürich €', '"zrich "'],
    ['tab\there', '"tab\there"'],
  ])('[core-quoting] of %j is %s', (value, expected) => {
    expect(quote(value)).toBe(expected)
  })

  test('[core-quoting] of anything is one, and of printable text reads back identically', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(unquote(quote(value))).toBe(value.replace(/[^\t\x20-\x7e]/g, ''))
      }),
    )
  })
})

describe('a challenge', () => {
  test('is a scheme, or a scheme and its parameters', () => {
    expect(formatChallenge({ scheme: 'Key' })).toBe('Key')
    expect(formatChallenge({ scheme: 'Key', parameters: {} })).toBe('Key')
    expect(formatChallenge({ scheme: 'Bearer', parameters: { realm: 'a', scope: 'b c' } })).toBe(
      'Bearer realm="a", scope="b c"',
    )
  })

  test('[core-bearer-first] of several is one field, Bearer first, each once', () => {
    expect(
      formatChallenges([
        { scheme: 'Key' },
        { scheme: 'bearer', parameters: { realm: 'a' } },
        { scheme: 'Key' },
        { scheme: 'DPoP', parameters: { algs: 'ES256' } },
      ]),
    ).toBe('bearer realm="a", Key, DPoP algs="ES256"')
  })

  test.each([
    [{ scheme: 'Bearer' }, 'Bearer'],
    [{ scheme: 'Bearer', parameters: { realm: 'mcp' } }, 'Bearer realm="mcp"'],
  ])('of several hides no parameters behind %j, which tells nothing: clients read the first', (bare, alone) => {
    const telling = { scheme: 'bearer', parameters: { resource_metadata: 'https://a.example.com/m' } }
    const expected = 'bearer resource_metadata="https://a.example.com/m", Key'
    expect(formatChallenges([bare, { scheme: 'Key' }, telling])).toBe(expected)
    expect(formatChallenges([telling, bare, { scheme: 'Key' }])).toBe(expected)
    expect(formatChallenges([bare, { scheme: 'Key' }])).toBe(`${alone}, Key`)
  })

  test.each([
    [{ scheme: 'Key\r\nX: 1' }],
    [{ scheme: '' }],
    [{ scheme: 'Key', parameters: { 'a"b': 'c' } }],
    [{ scheme: 'Key', parameters: { 'realm="x", other': 'c' } }],
    [{ scheme: 'Key', parameters: { 'a\r\nSet-Cookie: b': 'c' } }],
  ])('[core-quoting] whose scheme or name is not a token is never written: %j', (challenge) => {
    const { scheme, parameters = {} }: Challenge = challenge
    const [wrong = scheme] = Object.keys(parameters)
    const message = expect.stringContaining(JSON.stringify(wrong))
    expect(() => formatChallenge(challenge)).toThrow(expect.objectContaining({ name: 'TypeError', message }))
  })

  test('[core-quoting] with a hostile value stays one header and one parameter, over HTTP', async () => {
    const value = 'x", error="none\r\nSet-Cookie: session=stolen\r\n\r\n<html>'
    const { app } = keyApp(
      {},
      {
        ...decides(() => denied('unknown')),
        challenge: () => [{ scheme: 'Key', parameters: { realm: value } }],
      },
    )
    const response = await request(app).get('/1').expect(401)
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(response.headers['www-authenticate']).toBe('Key realm="x\\", error=\\"noneSet-Cookie: session=stolen<html>"')
  })
})
