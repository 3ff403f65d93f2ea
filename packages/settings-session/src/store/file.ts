import type { Clock } from '@countersign/core'
import { type FileStores, openStoreLog } from '@countersign/core/file'
import { isUnavailable, resolveOptions } from '@countersign/core/gate-kit'
import { durabilityOf, type Operation, operations, withoutTokens } from './file/operations.js'
import { rowReader } from './file/read-rows.js'
import { type Row, rowsOf } from './file/rows.js'
import { emptyState } from './memory/state.js'
import { type MemorySessionsOptions, maxEntriesRule, storeOver } from './memory.js'
import type { ReadResult, SettingsStore } from './port.js'

/** Options of {@link fileSessions}. */
export type FileSessionsOptions = Pick<MemorySessionsOptions, 'maxEntries'>

/** An operation that was done, with what it was asked, at a time of the store's clock. */
interface Done {
  readonly do: Operation | 'read'
  readonly at: number
  readonly asked: readonly unknown[]
}

/**
 * Links, sessions and identities of one process that outlive it: the memory store, and a log of what it was asked to change.
 * Synchronous. A change waits for the disk, by the folder's `fsync`; the use of a session does not.
 *
 * @throws {OptionError}
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses, or the log holds more than `maxEntries`.
 */
export function fileSessions(files: FileStores, options: FileSessionsOptions = {}): SettingsStore {
  const { maxEntries } = resolveOptions('fileSessions', options, { maxEntries: maxEntriesRule })
  return files.store('sessions', (place) => {
    /** Of the change that is made or read: made again, it does the same. */
    let at: number | undefined
    const clock: Clock = { now: () => at ?? place.clock.now(), monotonic: () => place.clock.monotonic() }
    const state = emptyState(maxEntries, clock)
    const memory = storeOver(state, maxEntries)
    const enter = rowReader(state)

    function perform(change: Done): unknown {
      at = change.at
      try {
        // JSON has no undefined.
        return (memory[change.do] as (...asked: unknown[]) => unknown)(...change.asked.map((one) => one ?? undefined))
      } finally {
        at = undefined
      }
    }

    function replay(change: Done | Row): boolean {
      if ('of' in change) {
        if (change.of === 'time') at = change.at
        return enter(change)
      }
      if (change.do !== 'read' && !operations.includes(change.do)) return false
      try {
        perform(change)
      } catch (error) {
        // What was a bug when it was asked is one now, and was told.
        if (isUnavailable(error)) throw error
      }
      return true
    }

    const log = openStoreLog<Done | Row>(place, {
      format: 'countersign-settings-sessions/1',
      dependency: 'session_store',
      replay,
      state() {
        at = undefined
        return rowsOf(state)
      },
    })

    /** What cannot be written is not done. */
    function logged<K extends Operation>(name: K): SettingsStore[K] {
      return ((...given: readonly unknown[]) => {
        log.assertHeld()
        const change: Done = { do: name, at: clock.now(), asked: withoutTokens(given) }
        const durability = durabilityOf(name, state, change.asked, maxEntries)
        if (durability !== undefined) log.append([change], durability)
        return perform(change)
      }) as SettingsStore[K]
    }

    function held<A extends readonly unknown[], R>(look: (...asked: A) => R): (...asked: A) => R {
      return (...asked) => {
        log.assertHeld()
        return look(...asked)
      }
    }

    const store: SettingsStore = {
      ...(Object.fromEntries(operations.map((name) => [name, logged(name)])) as Pick<SettingsStore, Operation>),
      read({ tag, hash }) {
        log.assertHeld()
        const change: Done = { do: 'read', at: clock.now(), asked: [{ tag, hash }] }
        const result = perform(change) as ReadResult
        // To lose one ends a session earlier.
        if (result.outcome === 'found') log.append([change], 'lazy')
        return result
      },
      peekLink: held(memory.peekLink),
      list: held(memory.list),
      identityOf: held(memory.identityOf),
      returningUsers: held(memory.returningUsers),
    }
    return { store, close: () => log.close() }
  })
}
