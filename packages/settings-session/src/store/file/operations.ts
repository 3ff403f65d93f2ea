import { UnavailableError } from '@countersign/core'
import type { TokenRef } from '../../tokens.js'
import { attemptKey, userKey } from '../keys.js'
import type { MemoryState } from '../memory/state.js'
import type { SettingsStore } from '../port.js'

/** The operations that change a store. The use of a session is one of them only when the session is honoured. */
export type Operation = Exclude<keyof SettingsStore, 'read' | 'peekLink' | 'list' | 'identityOf' | 'returningUsers'>

/** What the log must know of an operation, by what it is asked. */
interface Terms<K extends Operation> {
  /** Whether what it is asked about is there. Where not, nothing changes: what nobody has proved writes no line. */
  isKnown?(state: MemoryState, ...asked: Parameters<SettingsStore[K]>): boolean
  /** Where it adds what, unless it is there. What finds no room is refused before it is in the log. */
  adds?(state: MemoryState, ...asked: Parameters<SettingsStore[K]>): readonly (readonly [Rows, key: string])[]
  /** Default: on disk when it is acknowledged. */
  readonly durability?: 'lazy'
}

interface Rows {
  readonly size: number
  get(key: string): unknown
  sweep?(): void
}

const knowsLink = ({ links }: MemoryState, { tag, hash }: TokenRef) => links.peek(tag)?.hash === hash
const knowsSession = ({ sessions }: MemoryState, { tag, hash }: TokenRef) => sessions.peek(tag)?.hash === hash
const knowsId = ({ sessions }: MemoryState, id: string) => sessions.peek(id) !== undefined

const OPERATIONS: { readonly [K in Operation]: Terms<K> } = {
  issueLink: {
    adds: ({ links, users }, { ref, content }) => [
      [links, ref.tag],
      [users, userKey(content.user)],
    ],
  },
  exchange: {
    isKnown: (state, { link }) => knowsLink(state, link),
    adds: ({ links, sessions, users }, { link, session }) => [
      [sessions, session.tag],
      [users, links.peek(link.tag)?.owner.key ?? ''],
    ],
  },
  voidLink: { isKnown: knowsLink },
  openSession: {
    adds: ({ sessions, users }, { ref, content }) => [
      [sessions, ref.tag],
      [users, userKey(content.user)],
    ],
  },
  revoke: { isKnown: knowsId },
  revokeAll: {},
  claimIdentity: {
    isKnown: (state, { session }) => knowsSession(state, session),
    adds: ({ sessions, identities }, { session }) => [[identities, sessions.peek(session.tag)?.owner.key ?? '']],
  },
  confirmBinding: {},
  holdClaim: { isKnown: knowsSession },
  answerClaim: { isKnown: knowsId },
  unlink: {},
  rebind: { adds: ({ identities }, user) => [[identities, userKey(user)]] },
  freeIdentity: { isKnown: knowsSession },
  restoreIdentity: { adds: ({ identities }, _user, _identity, { key }) => [[identities, key]] },
  beginOAuth: { adds: ({ signIns }, { ref }) => [[signIns, ref.tag]] },
  takeOAuth: { isKnown: ({ signIns }, { tag, hash }) => signIns.get(tag)?.ref.hash === hash },
  useInitData: { adds: ({ uses }, hash) => [[uses, hash]] },
  // Anybody may make it count, so nothing waits for the disk.
  countAttempt: { adds: ({ counts }, name) => [[counts, attemptKey(name)]], durability: 'lazy' },
}

/** All of them. */
export const operations = Object.keys(OPERATIONS) as readonly Operation[]

/**
 * How an operation must be in the log before it is done; undefined when it changes nothing.
 *
 * @throws {UnavailableError} when it would find no room.
 */
export function durabilityOf(
  is: Operation,
  state: MemoryState,
  asked: readonly unknown[],
  maxEntries: number,
): 'acknowledged' | 'lazy' | undefined {
  const { isKnown, adds, durability = 'acknowledged' } = OPERATIONS[is] as Terms<never>
  const own = asked as never[]
  if (isKnown?.(state, ...(own as never)) === false) return undefined
  for (const [rows, key] of adds?.(state, ...(own as never)) ?? []) {
    if (rows.get(key) !== undefined) continue
    rows.sweep?.()
    if (rows.size >= maxEntries) {
      throw new UnavailableError('session_store', `the file store holds ${maxEntries} entries`)
    }
  }
  return durability
}

/** What an operation is asked, with the hashes of tokens alone: no token is in the log. */
export function withoutTokens(asked: readonly unknown[]): readonly unknown[] {
  return asked.map((arg) => {
    const bare = bareRef(arg)
    if (bare !== arg || typeof arg !== 'object' || arg === null) return bare
    return Object.fromEntries(Object.entries(arg).map(([name, value]) => [name, bareRef(value)]))
  })
}

function bareRef(value: unknown): unknown {
  const { tag, hash } = (value ?? {}) as Partial<TokenRef>
  return typeof tag === 'string' && typeof hash === 'string' ? { tag, hash } : value
}
