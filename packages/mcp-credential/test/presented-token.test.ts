import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { hasOwnToken, holdsOwnToken, readLoneToken, readToken } from '../src/read.js'

/** A request with these `Authorization` fields. */
const requestWith = (...values: string[]) =>
  ({ rawHeaders: values.flatMap((value) => ['Authorization', value]) }) as unknown as IncomingMessage

const refused = (reason: string, attributes?: object) => ({
  outcome: 'denied',
  reason,
  ...(attributes && { detail: { attributes } }),
})

describe('what a request presents', () => {
  test.each(['basic', 'digest', 'dpop', 'hmac', 'negotiate', 'signature'])(
    'an event may name the scheme %s, which is no secret',
    (scheme) => {
      expect(readToken(requestWith(`${scheme} abc`), 'mcps')).toMatchObject(refused('missing', { scheme }))
      expect(readToken(requestWith(`${scheme.toUpperCase()} abc`), 'mcps')).toMatchObject(
        refused('missing', { scheme }),
      )
    },
  )

  test('of any other text an event says no more than that it is another scheme', () => {
    expect(readToken(requestWith('my-secret-key'), 'mcps')).toMatchObject(refused('missing', { scheme: 'other' }))
    expect(readToken(requestWith('my-secret key'), 'mcps')).toMatchObject(refused('missing', { scheme: 'other' }))
  })

  test.each([
    ['Bearer two words', 'token'],
    ['Bearer mcps-x y', 'token'],
    ['Bearer "mcps_x"', 'token'],
    ['mcps_x', 'scheme'],
    ['mcps_x y', 'scheme'],
    ['', 'scheme'],
    ['"quoted"', 'scheme'],
  ])('of %j the part that is malformed is the %s', (value, part) => {
    expect(readToken(requestWith(value), 'mcps')).toMatchObject(refused('malformed', { part }))
  })

  test.each([`Bearer   \${MCP_CRED_APP}`, 'bearer   $MCP_CRED', '{env:MCP}', '{{ credential }}'])(
    '%j is a variable that was not set',
    (value) => {
      expect(readToken(requestWith(value), 'mcps')).toMatchObject(refused('placeholder'))
    },
  )

  test('what is longer than any name of a variable is malformed, and none', () => {
    const longest = `Bearer \${${'A'.repeat(246)}}`
    expect(longest).toHaveLength(256)
    expect(readToken(requestWith(longest), 'mcps')).toMatchObject(refused('placeholder'))
    expect(readToken(requestWith(`${longest} `), 'mcps')).toMatchObject(refused('malformed', { part: 'token' }))
  })

  test('a variable of another scheme is not meant for this gate', () => {
    expect(readToken(requestWith(`Basic \${PASSWORD}`), 'mcps')).toMatchObject(refused('missing', { scheme: 'basic' }))
  })
})

test.each<[string[], boolean]>([
  [['Bearer mcps_x'], true],
  [['bEARER    mcps_x'], true],
  [['mcps_x'], true],
  [['Basic YTpi', 'Bearer mcps_x'], true],
  [[], false],
  [['Bearer other_x'], false],
  [['Basic mcps_x'], false],
  [['Xbearer mcps_x'], false],
  [['Bearer mcps-x'], false],
])('whether the request %j is this gate’s to decide: %j', (values, isOwn) => {
  expect(hasOwnToken(requestWith(...values), 'mcps')).toBe(isOwn)
})

test.each<[string[], boolean]>([
  [['Token mcps_x'], true],
  [['xmcps_a "mcps_x"'], true],
  [['Basic YTpi', 'mcps_'], true],
  [[], false],
  [['Bearer xmcps_x'], false],
  [['Bearer 0mcps_x', 'a_mcps_x'], false],
])('whether the fields %j hold a token of ours, however it is written: %j', (values, holds) => {
  expect(holdsOwnToken(requestWith(...values), 'mcps')).toBe(holds)
})

test('a token that comes without its request is ours by its prefix', () => {
  expect(readLoneToken('mcps_x', 'mcps')).toBe('mcps_x')
  expect(readLoneToken('mcps', 'mcps')).toMatchObject(refused('malformed', { part: 'prefix' }))
  expect(readLoneToken('other_x', 'mcps')).toMatchObject(refused('malformed', { part: 'prefix' }))
})
