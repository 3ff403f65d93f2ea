import { describe, expect, test } from '@jest/globals'
import { isBase62, numberFrom, randomBase62, shortHash } from '../src/base62.js'
import {
  addressOf,
  checksum,
  DEFAULT_PREFIX,
  hasPrefix,
  idInToken,
  isCredentialId,
  malformedPartOf,
  mintToken,
  PREFIX_PATTERN,
  parseToken,
  providerHash,
  secretDigest,
  sessionHash,
  threadHash,
} from '../src/token.js'

const ID = `${'T'.repeat(11)}${'P'.repeat(9)}${'S'.repeat(10)}${'R'.repeat(10)}`
const SECRET = 'b'.repeat(43)
/** A token whose checksum is right, whatever the rest is. */
const sealed = (body: string) => body + checksum(body)
const TOKEN = sealed(`mcps_${ID}_${SECRET}`)

describe('a token', () => {
  test('is parsed into its id and its secret', () => {
    expect(parseToken('mcps', TOKEN)).toEqual({ id: ID, secret: SECRET })
    expect(idInToken('mcps', TOKEN)).toBe(ID)
    expect(parseToken('m', sealed(`m_${ID}_${SECRET}`))).toEqual({ id: ID, secret: SECRET })
  })

  test.each([
    ['another prefix', sealed(`acme_${ID}_${SECRET}`), 'prefix'],
    ['a longer prefix', sealed(`mcpsx_${ID}_${SECRET}`), 'prefix'],
    ['no underscore after the prefix', sealed(`mcps-${ID}_${SECRET}`), 'prefix'],
    ['no underscore after the id', sealed(`mcps_${ID}-${SECRET}`), 'form'],
    ['a letter in place of the underscore', sealed(`mcps_${ID}0${SECRET}`), 'form'],
    ['an id that is no base62', sealed(`mcps_-${ID.slice(1)}_${SECRET}`), 'form'],
    ['an id whose last letter is no base62', sealed(`mcps_${ID.slice(1)}-_${SECRET}`), 'form'],
    ['a secret whose first letter is no base62', sealed(`mcps_${ID}_-${SECRET.slice(1)}`), 'form'],
    ['a letter beyond ASCII', sealed(`mcps_${ID}_é${SECRET.slice(1)}`), 'form'],
    ['a checksum that is no base62', `${TOKEN.slice(0, -1)}-`, 'form'],
    ['a secret that is too short', sealed(`mcps_${ID}_${SECRET.slice(1)}`), 'form'],
    ['a secret that is too long', sealed(`mcps_${ID}_${SECRET}b`), 'form'],
    ['a wrong checksum', `mcps_${ID}_${SECRET}000000`, 'checksum'],
    ['another secret', TOKEN.replace('_b', '_c'), 'checksum'],
  ] as const)('with %s is refused: %#', (_, token, part) => {
    expect(parseToken('mcps', token)).toBeUndefined()
    expect(malformedPartOf('mcps', token)).toBe(part)
  })

  test('that is no text is refused', () => {
    expect(parseToken('mcps', [TOKEN] as never)).toBeUndefined()
    expect(parseToken('mcps', undefined as never)).toBeUndefined()
  })

  test('is minted with the hashes of whom it is for, an id and a secret of their own', () => {
    const subject = { threadId: 't', providerInstanceId: 'p', providerSessionId: 's' }
    const minted = mintToken('mcps', subject)
    expect(parseToken('mcps', minted.token)).toEqual({ id: minted.id, secret: minted.secret })
    const address = addressOf(minted.id)
    expect(address).toEqual({ thread: threadHash('t'), provider: providerHash('p'), session: sessionHash('s') })
    const other = mintToken('mcps', subject)
    expect(addressOf(other.id)).toEqual(address)
    expect(other.id).not.toBe(minted.id)
    expect(other.secret).not.toBe(minted.secret)
  })
})

test('the parts of an id are where keys look for them', () => {
  expect(addressOf(ID)).toEqual({ thread: 'T'.repeat(11), provider: 'P'.repeat(9), session: 'S'.repeat(10) })
})

test('thread, provider and session of one name have hashes of their own, and no session is zeros', () => {
  expect([threadHash('a').length, providerHash('a').length, sessionHash('a').length]).toEqual([11, 9, 10])
  const starts = [threadHash('a'), providerHash('a'), sessionHash('a')].map((hash) => hash.slice(0, 9))
  expect(new Set(starts).size).toBe(3)
  expect(sessionHash(undefined)).toBe('0000000000')
  expect(sessionHash('')).not.toBe('0000000000')
})

test('the hashes and the default prefix are in tokens that are out there, so they do not change', () => {
  const hashes = [threadHash('thread-1'), providerHash('claude-1'), sessionHash('session-1')]
  expect(hashes).toEqual(['lZrdWyiRQfv', 'WI1wZrD8N', 'cNW6VXGu8h'])
  expect(DEFAULT_PREFIX).toBe('mcps')
})

test('an id is 40 letters of base62, and nothing else is one', () => {
  expect(isCredentialId(ID)).toBe(true)
  for (const other of [ID.slice(1), `${ID}0`, `-${ID.slice(1)}`, ` ${ID}`, `${ID}\n`, '', undefined, [ID]]) {
    expect(isCredentialId(other)).toBe(false)
  }
})

test('a prefix is a letter and at most seven letters or digits', () => {
  for (const prefix of ['a', 'Z', 'mcps', 'a1234567']) expect(PREFIX_PATTERN.test(prefix)).toBe(true)
  for (const prefix of ['', '1a', 'a_b', 'a-b', ' a', 'a ', 'a12345678', 'é']) {
    expect(PREFIX_PATTERN.test(prefix)).toBe(false)
  }
})

test('a text has a prefix when an underscore follows it', () => {
  expect(hasPrefix('mcps', 'mcps_')).toBe(true)
  expect(hasPrefix('mcps', 'mcps')).toBe(false)
  expect(hasPrefix('mcps', 'mcpsa_')).toBe(false)
  expect(hasPrefix('mcps', ' mcps_')).toBe(false)
})

test('what is stored of a secret depends on the secret, its prefix and its namespace', () => {
  const of = (...parts: [string, string, string]) => secretDigest(...parts).toString('hex')
  expect(of('mcps', 'n', 's')).toBe('0c9f1c989f57995fc29a8547a1d2d7870b148f5aa41d3050e72500c7afa27a42')
  expect(of('mcps', 'm', 's')).not.toBe(of('mcps', 'n', 's'))
  expect(of('mcp', 'sn', 's')).not.toBe(of('mcps', 'n', 's'))
  expect(of('mcps', 'ns', '')).not.toBe(of('mcps', 'n', 's'))
})

test('a checksum is the CRC-32 in six digits of base62, with leading zeros', () => {
  expect(checksum('')).toBe('000000')
  // The check value of CRC-32: 0xcbf43926.
  expect(numberFrom(checksum('123456789'), 0)).toBe(0xcbf4_3926)
  expect(checksum('123456789')).toHaveLength(6)
})

test('the digits of base62 are 0 to 9, A to Z, a to z, in this order', () => {
  expect(numberFrom('x0', 1)).toBe(0)
  expect(numberFrom('9', 0)).toBe(9)
  expect(numberFrom('A', 0)).toBe(10)
  expect(numberFrom('Z', 0)).toBe(35)
  expect(numberFrom('a', 0)).toBe(36)
  expect(numberFrom('z', 0)).toBe(61)
  expect(numberFrom('10', 0)).toBe(62)
})

test('a part is base62 when each of its letters is, whatever is around it', () => {
  expect(isBase62('-09AZaz-', 1, 7)).toBe(true)
  expect(isBase62('-09AZaz-', 0, 7)).toBe(false)
  expect(isBase62('-09AZaz-', 1, 8)).toBe(false)
  expect(isBase62('', 0, 0)).toBe(true)
  // Beside the letters, and beyond the table of them.
  for (const letter of ['/', ':', '@', '[', '`', '{', '\x7f', '\x80', 'ā']) expect(isBase62(letter, 0, 1)).toBe(false)
})

test('random letters have the length that is asked for, and each of the 62 comes about as often as the others', () => {
  expect(randomBase62(0)).toBe('')
  expect(randomBase62(1)).toHaveLength(1)
  const counts = new Map<string, number>()
  for (const letter of randomBase62(620_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  expect(counts.size).toBe(62)
  // Ten standard deviations. Eight letters would come a quarter more often than the others, were no byte left out.
  for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(1000)
  expect(randomBase62(43)).not.toBe(randomBase62(43))
})

test('a short hash has the letters that are asked for, and its domain is in it', () => {
  expect(shortHash('thread', 'a', 32)).toHaveLength(32)
  expect(shortHash('thread', 'a', 5)).toBe(shortHash('thread', 'a', 32).slice(0, 5))
  expect(shortHash('threada', '', 32)).not.toBe(shortHash('thread', 'a', 32))
})
