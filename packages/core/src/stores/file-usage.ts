import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { type FileStores, openStoreLog } from './file-stores.js'
import { type LegacyUse, mergeUses, type UsageStore } from './usage.js'

/** Options of {@link fileUsage}. */
export interface FileUsageOptions {
  /** Which gate's: gates with different old keys have different names. Default `hmac`. */
  readonly name?: string | undefined
}

interface Added {
  readonly uses: readonly LegacyUse[]
}

const RULES = { name: option.string(/^[A-Za-z0-9_-]{1,64}$/).default('hmac') }

/**
 * Keeps in a file who still uses an old key, beyond a restart of the one process that has it open.
 *
 * @throws {OptionError}
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses.
 */
export function fileUsage(files: FileStores, options: FileUsageOptions = {}): UsageStore {
  const { name } = resolveOptions('fileUsage', options, RULES)
  return files.store(`usage-${name}`, (place) => {
    let held: readonly LegacyUse[] = []
    const add = ({ uses }: Added) => {
      held = mergeUses([...held, ...uses])
    }
    const log = openStoreLog<Added>(place, {
      format: 'countersign-usage/1',
      dependency: 'usage_store',
      replay(change) {
        if (!Array.isArray(change.uses)) return false
        add(change)
        return true
      },
      state: () => [{ uses: held }],
    })
    const store: UsageStore = {
      async add(uses) {
        log.append([{ uses }], 'acknowledged')
        add({ uses })
      },
      async read() {
        log.assertHeld()
        return held.toSorted((a, b) => (a.caller < b.caller ? -1 : 1))
      },
    }
    return { store, close: () => log.close() }
  })
}
