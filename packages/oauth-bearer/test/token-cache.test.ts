import { granted } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import type { KeyAnswer, KeySource, TrustedKey } from '../src/keys/key-source.js'
import type { Verified } from '../src/outcome.js'
import { createTokenCache, digestOf } from '../src/token-cache.js'

const principal = { kind: 'oauth-bearer', id: 'i|u', issuer: 'i', scopes: [], claims: {}, via: 'jwt' } as const
const makeKey = (): TrustedKey => ({ kid: 'k1', fingerprint: 'f', cost: 1, verifiers: new Map() })

function setUp() {
  const clock = fakeClock()
  const listeners: ((removed: ReadonlySet<TrustedKey>) => void)[] = []
  let answer: KeyAnswer | Promise<KeyAnswer> = { outcome: 'unknown' }
  const source: KeySource = { find: () => answer, onRemoval: (listener) => void listeners.push(listener) }
  const cache = createTokenCache(2, clock, [source])
  const key = makeKey()
  answer = { outcome: 'found', keys: [key] }
  const verified = (rest: Partial<Verified> = {}): Verified => ({
    outcome: 'verified',
    verdict: granted(principal),
    toleranceMs: 5000,
    expiresAt: clock.now() + 60_000,
    keepUntilMs: Number.POSITIVE_INFINITY,
    signer: { source, key, algorithm: 'RS256' },
    ...rest,
  })
  return {
    cache,
    clock,
    key,
    verified,
    remove: (...keys: TrustedKey[]) => {
      for (const listener of listeners) listener(new Set(keys))
    },
    say: (next: KeyAnswer | Promise<KeyAnswer>) => {
      answer = next
    },
  }
}

describe('the cache of verified tokens, by itself', () => {
  test('[oauth-rotation] drops what a key verified when that key is withdrawn, and keeps the rest', () => {
    const { cache, verified, key, remove } = setUp()
    cache.set('a', verified())
    cache.set('b', verified({ signer: undefined }))
    remove(makeKey())
    expect(cache.size).toBe(2)
    remove(key)
    expect(cache.size).toBe(1)
    expect(cache.get('b')).toBeDefined()
  })

  test('[oauth-cache] displaces the oldest of its own issuer, and no token of another one', () => {
    const { cache, verified } = setUp()
    const of = (issuer: string) => verified({ verdict: granted({ ...principal, issuer }) })
    cache.set('other', of('j'))
    for (const digest of ['a', 'b', 'a', 'c', 'd']) cache.set(digest, of('i'))
    expect(cache.size).toBe(3)
    expect(['other', 'a', 'b', 'c', 'd'].filter((digest) => cache.get(digest) !== undefined)).toEqual([
      'other',
      'c',
      'd',
    ])
  })

  test('[oauth-cache] keeps what was used last, and forgets it only after the others', () => {
    const { cache, verified } = setUp()
    cache.set('a', verified())
    cache.set('b', verified())
    cache.get('a')
    cache.get('a')
    cache.set('c', verified())
    expect(['a', 'b', 'c'].filter((digest) => cache.get(digest) !== undefined)).toEqual(['a', 'c'])
    cache.get('a')
    cache.set('d', verified())
    expect(['a', 'c', 'd'].filter((digest) => cache.get(digest) !== undefined)).toEqual(['a', 'd'])
  })

  test('[oauth-cache] forgets the issuer that has had no new token for longest when there are more than 10 000', () => {
    const { cache, verified } = setUp()
    const of = (issuer: string) => verified({ verdict: granted({ ...principal, issuer }) })
    for (let index = 0; index < 10_000; index += 1) cache.set(`t${index}`, of(`i${index}`))
    cache.set('again', of('i0'))
    cache.set('more', of('one more'))
    expect(cache.size).toBe(10_001)
    expect(['t0', 't1', 't2', 'again', 'more'].filter((digest) => cache.get(digest) !== undefined)).toEqual([
      't0',
      't2',
      'again',
      'more',
    ])
  })

  test.each<[string, KeyAnswer | Promise<KeyAnswer>]>([
    ['another key of that name', { outcome: 'found', keys: [makeKey()] }],
    ['no key of that name', { outcome: 'unknown' }],
    ['that it is of another algorithm', { outcome: 'wrong_algorithm' }],
    ['that it cannot know', { outcome: 'unavailable', retryAfterSeconds: 1 }],
    ['that it has to ask', new Promise(() => undefined)],
  ])('believes no entry when the source of its key says %s', (_name, answer) => {
    const { cache, verified, say } = setUp()
    cache.set('a', verified())
    expect(cache.get('a')).toBeDefined()
    say(answer)
    expect(cache.get('a')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  test('caches nothing without keepUntilMs, and holds at most maxEntries', () => {
    const { cache, verified, clock } = setUp()
    cache.set('a', verified({ keepUntilMs: undefined }))
    cache.set('b', verified({ keepUntilMs: clock.monotonic() }))
    expect(cache.size).toBe(0)
    for (const digest of ['a', 'b', 'c']) cache.set(digest, verified())
    expect(cache.size).toBe(2)
    expect(cache.get('a')).toBeUndefined()
  })

  test('returns an entry until it expires, and not before it is valid after the clock went back', () => {
    const { cache, verified, clock } = setUp()
    cache.set('short', verified({ keepUntilMs: clock.monotonic() + 1000 }))
    cache.set('early', verified({ notBefore: clock.now() }))
    clock.advance(999)
    expect(cache.get('short')).toBeDefined()
    clock.advance(1)
    expect(cache.get('short')).toBeUndefined()
    clock.jump(-10_000)
    expect(cache.get('early')).toBeUndefined()
  })
})

describe('the digest that a token is cached by', () => {
  const digest = (scheme: string, token: string) => digestOf({ scheme, token })

  test('differs from scheme to scheme, also if one text could be read both ways', () => {
    const digests = [
      digest('bearer', 'abcdefgh'),
      digest('token', 'abcdefgh'),
      digest('bearer', 'token abcdefgh'),
      digest('token', 'bearer abcdefgh'),
      digest('bearer', 'token:abcdefgh'),
    ]
    expect(new Set(digests).size).toBe(digests.length)
  })

  test('is a whole SHA-256, and never the token', () => {
    expect(Buffer.from(digest('bearer', 'abc'), 'base64').toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })
})
