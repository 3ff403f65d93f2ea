import { resolveOptions } from '../options/resolve.js'
import { BoundedTtlMap } from './bounded-ttl-map.js'
import { type FileStores, openStoreLog } from './file-stores.js'
import { assertTtl, maxClaimsRule, type ReplayStore } from './replay.js'
import { UnavailableError } from './unavailable-error.js'

/** Options of {@link fileReplay}. */
export interface FileReplayOptions {
  /** Claims that may live at once. Default 1 000 000; beyond it the store is unavailable, it never evicts a live one. */
  readonly maxEntries?: number | undefined
}

interface Claim {
  readonly claim: string
  /** Of the wall clock: a process that starts later has another count. */
  readonly until: number
}

/**
 * A replay store for one process that outlives it: what was used before a restart is refused after it. Synchronous, and each
 * claim waits for the disk, by the folder's `fsync`. All gates of a process share one.
 *
 * @throws {OptionError}
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses, or the log has more claims than `maxEntries`.
 */
export function fileReplay(files: FileStores, options: FileReplayOptions = {}): ReplayStore {
  const { maxEntries } = resolveOptions('fileReplay', options, { maxEntries: maxClaimsRule })
  return files.store('replay', (place) => {
    const { clock } = place
    const monotonic = () => clock.monotonic()
    // As in memory a wall clock that jumps ahead and back must not let what was used be used again.
    const claims = new BoundedTtlMap<string, number>({ maxEntries, clock: { now: monotonic, monotonic } })
    const full = () => new UnavailableError('replay_store', `the replay store holds ${maxEntries} live claims`)
    const hold = ({ claim, until }: Claim) => {
      const leftMs = until - clock.now()
      if (leftMs > 0 && !claims.set(claim, until, monotonic() + leftMs)) throw full()
    }
    const log = openStoreLog<Claim>(place, {
      format: 'countersign-replay/1',
      dependency: 'replay_store',
      replay(change) {
        if (typeof change.claim !== 'string') return false
        hold(change)
        return true
      },
      *state() {
        for (const [claim, until] of claims) yield { claim, until }
      },
    })
    const store: ReplayStore = {
      claim(key, ttlMs) {
        assertTtl(ttlMs)
        log.assertHeld()
        if (claims.get(key) !== undefined) return 'seen'
        claims.sweep()
        if (claims.size >= maxEntries) throw full()
        const until = clock.now() + ttlMs
        log.append([{ claim: key, until }], 'acknowledged')
        claims.set(key, until, monotonic() + ttlMs)
        return 'fresh'
      },
    }
    return { store, close: () => log.close() }
  })
}
