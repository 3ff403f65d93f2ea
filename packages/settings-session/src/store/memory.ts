import type { Clock } from '@countersign/core'
import { type OptionRule, option, resolveOptions, systemClock, warnOfMemory } from '@countersign/core/gate-kit'
import type { SettingsUser } from '../principal.js'
import type { TokenRef } from '../tokens.js'
import { userKey } from './keys.js'
import { memoryAttempts } from './memory/attempts.js'
import { memoryIdentities } from './memory/identities.js'
import { memoryLinks } from './memory/links.js'
import {
  ageOf,
  createSession,
  emptyState,
  endSession,
  freeLink,
  livingSessions,
  type MemoryState,
  ownerOf,
  refusalOf,
  refused,
  rowContent,
  type SessionRow,
  spendLink,
  viewOf,
} from './memory/state.js'
import type { NewSession, ReadResult, SettingsStore, StoredSession } from './port.js'

/** Options of {@link memorySessions}. */
export interface MemorySessionsOptions {
  /** Links, and sessions, that may live at once. Default 100 000 of each; beyond it the store is unavailable. */
  readonly maxEntries?: number | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

/** How many links, and sessions, may live at once. */
export const maxEntriesRule: OptionRule<number> = option.integer(1, 2 ** 24).default(100_000)
const RULES = {
  maxEntries: maxEntriesRule,
  clock: option.clock().default(systemClock),
}

/**
 * The store of one process. Synchronous. Nothing outlives the process: after a restart, identities are claimed again.
 *
 * @throws {OptionError}
 */
export function memorySessions(options: MemorySessionsOptions = {}): SettingsStore {
  const { maxEntries, clock } = resolveOptions('memorySessions', options, RULES)
  warnOfMemory({
    store: 'memorySessions()',
    keeps: 'links, sessions and identity bindings',
    instead: 'redisSessions(redis) of @countersign/settings-session/redis',
    atRestart: "any identity can claim a user first, and Telegram's data can be used again",
  })
  return storeOver(emptyState(maxEntries, clock), maxEntries)
}

/** The store of what a state holds. */
export function storeOver(state: MemoryState, maxEntries: number): SettingsStore {
  function read({ tag, hash }: TokenRef): ReadResult {
    const row = state.sessions.get(tag)
    const reason = refusalOf(state, row, hash)
    if (reason !== undefined) return refused(state, row?.hash === hash ? row : undefined, reason)
    const session = row as SessionRow
    session.seenMs = Math.max(session.seenMs, ageOf(state, session))
    return { outcome: 'found', session: viewOf(state, session) }
  }

  return {
    ...memoryLinks(state),
    ...memoryIdentities(state, maxEntries),
    ...memoryAttempts(state, maxEntries),
    read,
    openSession({ content, ...session }: NewSession) {
      const { tag, hash } = session.ref
      const known = state.sessions.get(tag)
      const reason = known === undefined ? undefined : refusalOf(state, known, hash)
      if (reason !== undefined) return refused(state, known, reason)
      if (known !== undefined) return { outcome: 'found', session: viewOf(state, known), isRepeat: true }
      const owner = ownerOf(state, content.user, session.limits.absoluteMs)
      const seed = { ...session, owner, content: rowContent(content), link: undefined }
      const { row, ended } = createSession(state, seed)
      return { outcome: 'found', session: viewOf(state, row), isRepeat: false, ended }
    },
    revoke(id: string, hash?: string, { freesLink = false } = {}): StoredSession | undefined {
      const row = state.sessions.get(id)
      if (row === undefined || refusalOf(state, row, hash ?? row.hash) !== undefined) return undefined
      const view = viewOf(state, row)
      endSession(state, row)
      if (freesLink) freeLink(row)
      else spendLink(state, row)
      return view
    },
    list(user: SettingsUser): readonly StoredSession[] {
      const owner = state.users.get(userKey(user))
      return owner === undefined ? [] : livingSessions(state, owner).map((row) => viewOf(state, row))
    },
  }
}
