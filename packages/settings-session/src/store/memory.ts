import { type Clock, UnavailableError } from '@countersign/core'
import { BoundedTtlMap, option, resolveOptions, systemClock, warnOfMemory } from '@countersign/core/gate-kit'
import type { SettingsUser } from '../principal.js'
import type { TokenRef } from '../tokens.js'
import { userKey } from './keys.js'
import { memoryIdentities } from './memory/identities.js'
import { memoryLinks } from './memory/links.js'
import type { MemoryState, SessionRow } from './memory/state.js'
import { createSession, endAll, endSession, freeLink, refusalOf, refused, spendLink, viewOf } from './memory/state.js'
import type { NewSession, ReadResult, SettingsStore, StoredSession } from './port.js'
import { TOUCH_PART } from './rules.js'

/** Options of {@link memorySessions}. */
export interface MemorySessionsOptions {
  /** Links, and sessions, that may live at once. Default 100 000 of each; beyond it the store is unavailable. */
  readonly maxEntries?: number | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

const RULES = {
  maxEntries: option.integer(1, 2 ** 24).default(100_000),
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
    keeps: 'links, sessions and who is bound to which identity',
    instead: 'redisSessions(redis) of @countersign/settings-session/redis',
    atRestart: "any identity can claim a user first, and Telegram's data can be used once more",
  })
  const state: MemoryState = {
    clock,
    links: new BoundedTtlMap({ maxEntries, clock }),
    sessions: new BoundedTtlMap({ maxEntries, clock }),
    epochs: new BoundedTtlMap({ maxEntries, clock }),
    index: new BoundedTtlMap({ maxEntries, clock }),
    assertRoom(map) {
      map.sweep()
      if (map.size >= maxEntries) {
        throw new UnavailableError('session_store', `the memory store holds ${maxEntries} entries`)
      }
    },
  }

  function read({ tag, hash }: TokenRef): ReadResult {
    const row = state.sessions.get(tag)
    const reason = refusalOf(state, row, hash)
    if (reason !== undefined) return refused(state, row?.hash === hash ? row : undefined, reason)
    const session = row as SessionRow
    const now = clock.now()
    if (now - session.lastSeenAt >= session.limits.idleMs / TOUCH_PART) session.lastSeenAt = now
    return { outcome: 'found', session: viewOf(session, now) }
  }

  return {
    ...memoryLinks(state),
    ...memoryIdentities(state, maxEntries),
    read,
    openSession(session: NewSession) {
      const { row, ended } = createSession(state, session)
      return { outcome: 'found', session: viewOf(row, clock.now()), ended }
    },
    revoke(id: string, hash?: string, { freesLink = false } = {}): StoredSession | undefined {
      const row = state.sessions.get(id)
      if (row === undefined || refusalOf(state, row, hash ?? row.hash) !== undefined) return undefined
      const view = viewOf(row, clock.now())
      endSession(state, row)
      if (freesLink) freeLink(state, row)
      else spendLink(state, row)
      return view
    },
    revokeAll: (user: SettingsUser) => endAll(state, user),
    list(user: SettingsUser): readonly StoredSession[] {
      const rows = Array.from(state.index.get(userKey(user)) ?? [], (id) => state.sessions.get(id))
      return rows.flatMap((row) =>
        row !== undefined && refusalOf(state, row, row.hash) === undefined ? [viewOf(row, clock.now())] : [],
      )
    },
  }
}
