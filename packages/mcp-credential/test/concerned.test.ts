import { expect, test } from '@jest/globals'
import { besides, byNotice, type Concerns, inScope } from '../src/store/concerned.js'
import { isCurrent } from '../src/store/standing.js'
import { mintToken, providerHash, threadHash } from '../src/token.js'

const idOf = (threadId: string, providerInstanceId: string, providerSessionId?: string) =>
  mintToken('mcps', { threadId, providerInstanceId, providerSessionId }).id

const id = idOf('t1', 'p1', 's1')
const ids = [idOf('t1', 'p1'), idOf('t1', 'p2'), idOf('t2', 'p1'), idOf('t2', 'p2', 's1')]

test.each<[string, Concerns, boolean[]]>([
  ['a credential', besides(id), [true, false, false, false]],
  ['a thread', inScope('thread', 't1'), [true, true, false, false]],
  ['a provider', inScope('provider', 'p1'), [true, false, true, false]],
  // An alias has the session of its own issue in its id, and ends with another one.
  ['a session', inScope('session', 's1'), [true, true, true, true]],
  ['everything', inScope('all', '*'), [true, true, true, true]],
  ['a notice of a credential', byNotice(`credential ${id}`), [true, false, false, false]],
  ['a notice of a thread', byNotice(`thread ${threadHash('t1')}`), [true, true, false, false]],
  ['a notice of a provider', byNotice(`provider ${providerHash('p1')}`), [true, false, true, false]],
  ['a notice of a session', byNotice('session x'), [true, true, true, true]],
  ['a notice that says nothing', byNotice(''), [true, true, true, true]],
])('the end of %s may concern those that may have been in it', (_what, mayConcern, expected) => {
  expect(ids.map(mayConcern)).toEqual(expected)
  expect(mayConcern(id)).toBe(true)
})

test('a credential is current until it is revoked or superseded, idle or not', () => {
  const standings = ['live', 'idle', 'expired', 'superseded', 'revoked'] as const
  expect(standings.map(isCurrent)).toEqual([true, true, true, false, false])
})
