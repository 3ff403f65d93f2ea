import { UnavailableError } from '@countersign/core'
import { expect, test } from '@jest/globals'
import { resolveLife } from '../src/registry/life.js'
import { createResolver, type IsAlive } from '../src/registry/resolver.js'
import type { CredentialRecord, FoundCredential, McpCredentialStore, Standing, WrongSecret } from '../src/store/port.js'

const life = resolveLife(
  'test',
  { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn: 'both' },
  true,
)
const digest = Buffer.alloc(32, 1)
const names = { credentialId: 'c1', threadId: 't1', providerInstanceId: 'p1', providerSessionId: 's1' }
const credential: CredentialRecord = { ...names, capabilities: [], issuedAt: 0, expiresAt: 2, idleAt: 1 }
const found = (standing: Standing, lateMs?: number): FoundCredential => ({
  standing,
  isProven: true,
  credential,
  ...(lateMs === undefined ? {} : { lateMs }),
})

type Found = FoundCredential | WrongSecret | undefined

/** A resolver whose store finds these, and a note of all that it asks and reports. */
function resolverOf(first: Found, isAlive?: IsAlive, revived: () => Found = () => found('live')) {
  const calls: unknown[][] = []
  const store = {
    resolve: (...args: unknown[]) => {
      calls.push(['resolve', ...args])
      return first
    },
    revive: (...args: unknown[]) => {
      calls.push(['revive', ...args])
      return revived()
    },
    peek: (...args: unknown[]) => {
      calls.push(['peek', ...args])
      return first && { ...first, isProven: false }
    },
  } as unknown as McpCredentialStore
  const asked: IsAlive = (scope) => {
    calls.push(['isAlive', scope])
    return isAlive?.(scope) as boolean
  }
  const resolver = createResolver({
    store,
    life,
    isAlive: isAlive && asked,
    livenessTimeoutMs: 10,
    onRevived: (id) => void calls.push(['revived', id]),
  })
  return { ...resolver, calls }
}

test.each<Standing>(['live', 'idle', 'expired', 'superseded', 'revoked'])(
  'what is %s is told as that, in the same tick, and nobody is asked about it',
  (standing) => {
    const { resolve, check, calls } = resolverOf(found(standing))
    expect(resolve('c1', digest)).toStrictEqual({ standing, credential })
    expect(check('c1')).toStrictEqual({ standing, credential })
    expect(calls).toEqual([
      ['resolve', 'c1', digest, life],
      ['peek', 'c1', life],
    ])
    expect(resolverOf(found(standing, 7)).resolve('c1', digest)).toStrictEqual({ standing, credential, lateMs: 7 })
  },
)

test('nothing under an id is unknown, and a wrong secret names no credential but the id that was tried', () => {
  const { resolve, check } = resolverOf(undefined)
  expect([resolve('c1', digest), check('c1')]).toEqual([{ standing: 'unknown' }, { standing: 'unknown' }])
  const wrong = { standing: 'wrong_secret', credentialId: 'c1' }
  expect(resolverOf({ isProven: false }).resolve('c1', digest)).toStrictEqual(wrong)
  const unproven = resolverOf({ ...found('idle'), isProven: false }, () => true)
  expect(unproven.resolve('c1', digest)).toStrictEqual(wrong)
  expect(unproven.calls).toEqual([['resolve', 'c1', digest, life]])
})

test.each<Standing>(['live', 'expired', 'superseded', 'revoked'])(
  'isAlive is not asked about what is %s: it revives idle ones alone',
  (standing) => {
    const { resolve, check, calls } = resolverOf(found(standing), () => true)
    expect([resolve('c1', digest), check('c1')]).toMatchObject([{ standing }, { standing }])
    expect(calls.map(([name]) => name)).toEqual(['resolve', 'peek'])
  },
)

test.each<[string, IsAlive]>([
  ['at once', () => true],
  ['with a promise', async () => true],
])('an idle one that the host says is alive, %s, is revived by the store and reported', async (_how, isAlive) => {
  const { resolve, calls } = resolverOf(found('idle', 7), isAlive)
  expect(await resolve('c1', digest)).toStrictEqual({ standing: 'live', credential })
  expect(calls).toEqual([
    ['resolve', 'c1', digest, life],
    ['isAlive', names],
    ['revive', 'c1', digest, life],
    ['revived', 'c1'],
  ])
  expect(Object.isFrozen(calls[1]?.[1])).toBe(true)
})

test.each<[string, IsAlive]>([
  ['no', () => false],
  ['no, with a promise', async () => false],
  ['nothing', () => undefined as unknown as boolean],
  ['something that is not true', () => 'yes' as unknown as boolean],
])('an idle one of which the host says %s stays idle', async (_what, isAlive) => {
  const { resolve, check, calls } = resolverOf(found('idle', 7), isAlive)
  expect(await resolve('c1', digest)).toStrictEqual({ standing: 'idle', credential, lateMs: 7 })
  expect(await check('c1')).toMatchObject({ standing: 'idle' })
  expect(calls.map(([name]) => name)).toEqual(['resolve', 'isAlive', 'peek', 'isAlive'])
})

test.each<[string, Found, object]>([
  ['revoked', found('revoked'), { standing: 'revoked', credential }],
  ['forgotten', undefined, { standing: 'unknown' }],
])('one that was %s while the host was asked is that, and no revival is reported', (_what, revived, expected) => {
  const { resolve, calls } = resolverOf(
    found('idle'),
    () => true,
    () => revived,
  )
  expect(resolve('c1', digest)).toStrictEqual(expected)
  expect(calls.map(([name]) => name)).toEqual(['resolve', 'isAlive', 'revive'])
})

test('the check of an open stream keeps an idle one that the host says is alive, and revives nothing', () => {
  const { check, calls } = resolverOf(found('idle', 7), () => true)
  expect(check('c1')).toMatchObject({ standing: 'live', credential })
  expect(calls.map(([name]) => name)).toEqual(['peek', 'isAlive'])
})

test('an isAlive that throws, rejects or hangs is an outage with what it threw as its cause; a bug stays one', async () => {
  const failed = new SyntaxError('a garbled answer')
  const outage = { name: 'UnavailableError', dependency: 'liveness', cause: failed }
  const throws = resolverOf(found('idle'), () => {
    throw failed
  })
  expect(() => throws.resolve('c1', digest)).toThrow(expect.objectContaining(outage))
  expect(() => throws.check('c1')).toThrow(expect.objectContaining(outage))
  await expect(resolverOf(found('idle'), () => Promise.reject(failed)).resolve('c1', digest)).rejects.toMatchObject(
    outage,
  )
  const hangs = resolverOf(found('idle'), () => new Promise(() => undefined))
  const late = { dependency: 'liveness', cause: expect.objectContaining({ isTimeout: true }) }
  await expect(hangs.resolve('c1', digest)).rejects.toMatchObject(late)
  const bug = new TypeError('x is not a function')
  const broken = resolverOf(found('idle'), () => {
    throw bug
  })
  expect(() => broken.resolve('c1', digest)).toThrow(bug)
})

test('a store that fails, fails the look-up as it is', () => {
  const down = new UnavailableError('credential_store', 'down')
  const store = {
    resolve: () => {
      throw down
    },
  } as unknown as McpCredentialStore
  const resolver = createResolver({
    store,
    life,
    isAlive: () => true,
    livenessTimeoutMs: 10,
    onRevived: () => undefined,
  })
  expect(() => resolver.resolve('c1', digest)).toThrow(down)
})
