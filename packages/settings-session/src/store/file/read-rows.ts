import { UnavailableError } from '@countersign/core'
import { userKey } from '../keys.js'
import { enterBinding } from '../memory/identities.js'
import {
  keepSessions,
  type LinkRow,
  type MemoryState,
  rowContent,
  type SessionRow,
  type UserRow,
} from '../memory/state.js'
import type { Row } from './rows.js'

/** Makes a function that enters rows into an empty state, in their order; false for one that it does not know. */
export function rowReader(state: MemoryState): (row: Row) => boolean {
  const users: UserRow[] = []
  const links: LinkRow[] = []
  const { sessions, signIns, uses, counts } = state

  function keep(isHeld: boolean): void {
    if (!isHeld) throw new UnavailableError('session_store', 'the log holds more than maxEntries: raise it')
  }

  return (row) => {
    switch (row.of) {
      case 'time':
        return true
      case 'user': {
        const { key, expiresAt, user, isRevoked } = row.row
        const owner: UserRow = { key, expiresAt, place: 0, user, isRevoked, oldest: undefined }
        users.push(owner)
        if (row.isHeld) keep(state.users.add(owner))
        return true
      }
      case 'link': {
        const { key, expiresAt, hash, content, codeHash, wrongCodes, spentAt, attempt } = row.row
        const link: LinkRow = {
          key,
          expiresAt,
          place: 0,
          hash,
          owner: users[row.user] as UserRow,
          content: rowContent(content),
          codeHash,
          wrongCodes,
          spentAt,
          attempt,
          holder: undefined,
        }
        links.push(link)
        if (row.isHeld) keep(state.links.add(link))
        return true
      }
      case 'session': {
        const { key, expiresAt, hash, content, limits, state: as, proof, seenMs, verifiedMs } = row.row
        const link = row.link === undefined ? undefined : links[row.link]
        const session: SessionRow = {
          key,
          expiresAt,
          place: 0,
          hash,
          owner: users[row.user] as UserRow,
          content: rowContent(content),
          limits,
          link,
          state: as,
          proof,
          seenMs,
          verifiedMs,
          next: undefined,
        }
        if (row.holdsLink && link !== undefined) link.holder = session
        keep(sessions.add(session))
        return true
      }
      case 'active':
        keepSessions(
          users[row.user] as UserRow,
          row.ids.flatMap((id) => sessions.peek(id) ?? []),
        )
        return true
      case 'binding':
        enterBinding(state, row.user, row.binding)
        if (row.isBarred) state.barred.add(userKey(row.user))
        return true
      case 'signIn':
        keep(signIns.set(row.signIn.ref.tag, row.signIn, row.until))
        return true
      case 'use':
        keep(uses.set(row.hash, { device: row.device, session: row.session }, row.until))
        return true
      case 'count':
        keep(counts.set(row.key, { count: row.count }, row.until))
        return true
      default:
        return false
    }
  }
}
