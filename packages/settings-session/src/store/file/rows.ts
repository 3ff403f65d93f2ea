import type { SettingsUser } from '../../principal.js'
import {
  type BindingRow,
  type LinkRow,
  livingSessions,
  type MemoryState,
  type SessionRow,
  type UserRow,
} from '../memory/state.js'
import type { SignIn } from '../port.js'

/** What a compacted log begins with: all that the memory holds. Rows name users and links by the order in which they come. */
export type Row =
  | { readonly of: 'time'; readonly at: number }
  | { readonly of: 'user'; readonly row: Omit<UserRow, 'oldest' | 'place'>; readonly isHeld: boolean }
  | {
      readonly of: 'link'
      readonly row: Omit<LinkRow, 'owner' | 'holder' | 'place'>
      readonly user: number
      readonly isHeld: boolean
    }
  | {
      readonly of: 'session'
      readonly row: Omit<SessionRow, 'owner' | 'link' | 'next' | 'place'>
      readonly user: number
      readonly link?: number | undefined
      readonly holdsLink: boolean
    }
  | { readonly of: 'active'; readonly user: number; readonly ids: readonly string[] }
  | {
      readonly of: 'binding'
      readonly user: SettingsUser
      readonly binding: BindingRow
      readonly isBarred: boolean
    }
  | { readonly of: 'signIn'; readonly signIn: SignIn; readonly until: number }
  | {
      readonly of: 'use'
      readonly hash: string
      readonly device: string
      readonly session: number
      readonly until: number
    }
  | { readonly of: 'count'; readonly key: string; readonly count: number; readonly until: number }

/** All rows of a state, in an order in which they can be read. */
export function* rowsOf(state: MemoryState): Generator<Row> {
  const { clock, links, sessions, users } = state
  yield { of: 'time', at: clock.now() }
  const places = new Map<UserRow | LinkRow, number>()
  let userCount = 0
  let linkCount = 0

  function* userRow(owner: UserRow): Generator<Row, number> {
    const known = places.get(owner)
    if (known !== undefined) return known
    const { key, expiresAt, user, isRevoked } = owner
    places.set(owner, userCount)
    yield { of: 'user', row: { key, expiresAt, user, isRevoked }, isHeld: users.peek(key) === owner }
    userCount += 1
    return userCount - 1
  }

  function* linkRow(link: LinkRow): Generator<Row, number> {
    const known = places.get(link)
    if (known !== undefined) return known
    const { owner, holder: _holder, place: _place, ...row } = link
    const user = yield* userRow(owner)
    places.set(link, linkCount)
    yield { of: 'link', row, user, isHeld: links.peek(link.key) === link }
    linkCount += 1
    return linkCount - 1
  }

  for (const link of links) yield* linkRow(link)
  const owners = new Set<UserRow>()
  for (const session of sessions) {
    const { owner, link, next: _next, place: _place, ...row } = session
    const user = yield* userRow(owner)
    const at = link === undefined ? undefined : yield* linkRow(link)
    yield { of: 'session', row, user, link: at, holdsLink: link?.holder === session }
    if (owner.oldest !== undefined) owners.add(owner)
  }
  for (const owner of owners) {
    const ids = livingSessions(state, owner).map(({ key }) => key)
    yield { of: 'active', user: places.get(owner) as number, ids }
  }
  for (const all of state.usersOf.values())
    for (const [key, user] of all)
      yield { of: 'binding', user, binding: state.identities.get(key) as BindingRow, isBarred: state.barred.has(key) }
  for (const [tag, signIn] of state.signIns)
    yield { of: 'signIn', signIn, until: state.signIns.expiresAt(tag) as number }
  for (const [hash, use] of state.uses) yield { of: 'use', hash, ...use, until: state.uses.expiresAt(hash) as number }
  for (const [key, { count }] of state.counts)
    yield { of: 'count', key, count, until: state.counts.expiresAt(key) as number }
}
