import { UnavailableError } from '@countersign/core'
import { expect, test } from '@jest/globals'
import type { Resolution } from '../src/registry/resolver.js'
import type { CredentialRecord, Standing } from '../src/store/port.js'
import { mintToken } from '../src/token.js'
import { verifyToken } from '../src/verify.js'

const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: 's1' }
const { token, id } = mintToken('mcps', subject)
const credential: CredentialRecord = {
  credentialId: 'c1',
  ...subject,
  capabilities: ['preview'],
  issuedAt: 1000,
  expiresAt: 3000,
  idleAt: 2000,
}

/** The verdict on a token for which the registry finds this, at once and as a promise. */
async function verdictOn(resolution: Resolution, presented = token) {
  const verdict = verifyToken(presented, { prefix: 'mcps', resolve: () => resolution })
  expect(verdict).not.toBeInstanceOf(Promise)
  expect(await verifyToken(presented, { prefix: 'mcps', resolve: async () => resolution })).toEqual(verdict)
  return verdict
}

/** The verdict where the registry throws this, and where it rejects with it. */
async function verdictAfter(error: unknown) {
  const throws = () => {
    throw error
  }
  const verdict = verifyToken(token, { prefix: 'mcps', resolve: throws })
  expect(await verifyToken(token, { prefix: 'mcps', resolve: async () => throws() })).toEqual(verdict)
  return verdict
}

test('a live credential is granted: the principal is what it was issued for, the event names it', async () => {
  expect(await verdictOn({ standing: 'live', credential })).toEqual({
    outcome: 'granted',
    principal: {
      kind: 'mcp-credential',
      id: 'c1',
      ...subject,
      capabilities: ['preview'],
      expiresAt: 3000,
    },
    detail: { principalId: 'c1', credential: { id: 'c1' } },
  })
})

test('the registry is asked for the token that was presented', () => {
  const asked: string[] = []
  const resolve = (presented: string): Resolution => {
    asked.push(presented)
    return { standing: 'unknown' }
  }
  void verifyToken(token, { prefix: 'mcps', resolve })
  expect(asked).toEqual([token])
})

test.each<Exclude<Standing, 'live'>>(['idle', 'expired', 'superseded', 'revoked'])(
  'a proven credential that is %s is refused with that reason, and the event names it',
  async (standing) => {
    expect(await verdictOn({ standing, credential })).toStrictEqual({
      outcome: 'denied',
      reason: standing,
      detail: { principalId: 'c1', credential: { id: 'c1' }, attributes: undefined },
    })
    expect(await verdictOn({ standing, credential, lateMs: 61_000 })).toMatchObject({
      reason: standing,
      detail: { principalId: 'c1', attributes: { late_by_seconds: 61 } },
    })
    expect(await verdictOn({ standing, credential, lateMs: 0 })).toMatchObject({
      detail: { attributes: { late_by_seconds: 0 } },
    })
  },
)

test('of a wrong secret the event has the id that was tried, and no principal: nothing is proven', async () => {
  expect(await verdictOn({ standing: 'wrong_secret', credentialId: id })).toStrictEqual({
    outcome: 'denied',
    reason: 'wrong_secret',
    detail: { credential: { id } },
  })
})

test('of an id that is unknown the event says nothing', async () => {
  expect(await verdictOn({ standing: 'unknown' })).toStrictEqual({ outcome: 'denied', reason: 'unknown' })
})

test.each([
  [`x${token}`, 'prefix'],
  ['mcps_x', 'form'],
  [token.slice(0, -1) + (token.endsWith('0') ? '1' : '0'), 'checksum'],
])('of a malformed token the event says which part is', async (presented, part) => {
  expect(await verdictOn({ standing: 'malformed' }, presented)).toStrictEqual({
    outcome: 'denied',
    reason: 'malformed',
    detail: { attributes: { part } },
  })
})

test('a store that cannot be asked is an outage of the store, and grants nothing', async () => {
  for (const error of [new UnavailableError('credential_store', 'down'), new Error('no connection'), 'a text']) {
    expect(await verdictAfter(error)).toMatchObject({ outcome: 'unavailable', dependency: 'credential_store' })
  }
  const cause = new UnavailableError('credential_store', 'down', { cause: new SyntaxError('garbled') })
  expect(await verdictAfter(cause)).toMatchObject({ detail: { attributes: { error: 'UnavailableError' } } })
})

test('an isAlive that fails is an outage of liveness, and the event names what it threw', async () => {
  const failed = new UnavailableError('liveness', 'isAlive failed', { cause: new SyntaxError('garbled') })
  expect(await verdictAfter(failed)).toMatchObject({
    outcome: 'unavailable',
    dependency: 'liveness',
    detail: { attributes: { error: 'SyntaxError' } },
  })
  expect(await verdictAfter(new UnavailableError('liveness', 'late', { isTimeout: true }))).toMatchObject({
    outcome: 'unavailable',
    dependency: 'liveness',
    detail: { attributes: { error: 'UnavailableError', failure: 'timeout' } },
  })
})

test('a bug is no verdict at all: the gate answers it with 500', async () => {
  const bug = new TypeError('x is not a function')
  const resolve = () => {
    throw bug
  }
  expect(() => verifyToken(token, { prefix: 'mcps', resolve })).toThrow(bug)
  await expect(verifyToken(token, { prefix: 'mcps', resolve: async () => resolve() })).rejects.toBe(bug)
})
