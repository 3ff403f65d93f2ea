import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { principalOf } from '@countersign/core'
import { granted } from '@countersign/core/gate-kit'
import { beforeEach, describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import { addGrant, hideForeignPrincipal, isProven, isRecorded, once, showPrincipal } from '../src/gate/grants.js'

const [keys, badges, ledger, journal] = [{}, {}, {}, {}]
const ofKey = granted({ kind: 'key', id: 'a' } as const)
const ofBadge = granted({ kind: 'badge', id: 'b' } as const)

let incoming: Request
beforeEach(() => {
  incoming = new IncomingMessage(new Socket()) as Request
})

describe('a request on which nothing is granted', () => {
  test('is not proven, has no principal of any kind, and nobody authenticated it', () => {
    expect(isProven(incoming)).toBe(false)
    expect(once(incoming, keys)).toBeUndefined()
    expect(isRecorded(incoming, keys, ledger)).toBe(false)
    expect(() => principalOf(incoming, 'key')).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_PRINCIPAL_MISSING' }),
    )
  })

  test('is not given a property when a foreign principal is looked for', () => {
    hideForeignPrincipal(incoming)
    expect('principal' in incoming).toBe(false)
  })

  test('loses a foreign principal', () => {
    Object.assign(incoming, { principal: { kind: 'key', id: 'forged' } })
    hideForeignPrincipal(incoming)
    expect(incoming.principal).toBeUndefined()
  })
})

describe('a request with grants', () => {
  beforeEach(() => {
    addGrant(incoming, ofKey, 'the key', keys, ledger)
    addGrant(incoming, ofBadge, 'the badge', badges, journal)
  })

  test('is proven, and no other request is', () => {
    expect(isProven(incoming)).toBe(true)
    expect(isProven(new IncomingMessage(new Socket()))).toBe(false)
  })

  test('remembers of each verifier what that one read and granted, and of no other one', () => {
    expect(once(incoming, keys)).toMatchObject({ verdict: ofKey, credential: 'the key' })
    expect(once(incoming, badges)).toMatchObject({ verdict: ofBadge, credential: 'the badge' })
    expect(once(incoming, {})).toBeUndefined()
  })

  test('is recorded by an emitter only for the verifier whose grant that one was told of', () => {
    expect([isRecorded(incoming, keys, ledger), isRecorded(incoming, badges, journal)]).toEqual([true, true])
    expect([isRecorded(incoming, keys, journal), isRecorded(incoming, badges, ledger)]).toEqual([false, false])
  })

  test('has the principal of each kind, and shows the last one in place of a foreign one', () => {
    expect([principalOf(incoming, 'key'), principalOf(incoming, 'badge')]).toEqual([ofKey.principal, ofBadge.principal])
    Object.assign(incoming, { principal: { kind: 'key', id: 'forged' } })
    hideForeignPrincipal(incoming)
    expect(incoming.principal).toBe(ofBadge.principal)
  })
})

test.each([
  ['nothing', undefined],
  ['a getter', { get: () => 'forged', configurable: true }],
  ['a constant', { value: 'forged', configurable: true }],
])('a principal that is shown in place of %s can be replaced by the app, and is one of its properties', (_, before) => {
  if (before !== undefined) Object.defineProperty(incoming, 'principal', before)
  showPrincipal(incoming, ofKey.principal)
  expect(Object.getOwnPropertyDescriptor(incoming, 'principal')).toEqual({
    value: ofKey.principal,
    writable: true,
    enumerable: true,
    configurable: true,
  })
})
