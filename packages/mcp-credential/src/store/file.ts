import type { FileStores } from '@countersign/core/file'
import { type MemoryCredentialStore, type MemoryCredentialsOptions, memoryCredentials } from './memory.js'

/** Options of {@link fileCredentials}. */
export type FileCredentialsOptions = Pick<MemoryCredentialsOptions, 'maxCredentials' | 'maxPerThread'>

/**
 * Credentials of one process that outlive it: `memoryCredentials({ file })` in the folder of the app's other stores.
 *
 * @throws {OptionError}
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses to open or write the log.
 */
export function fileCredentials(files: FileStores, options: FileCredentialsOptions = {}): MemoryCredentialStore {
  return files.store('credentials', (place) => {
    const store = memoryCredentials({ ...options, ...place })
    return { store, close: () => void store.close?.() }
  })
}
