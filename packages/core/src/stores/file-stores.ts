import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Clock, systemClock } from '../clock.js'
import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { type FileLog, type FileLogOptions, type FsyncPolicy, openFileLog } from './file-log.js'
import { syncFolderOf } from './sync-folder.js'
import { isUnavailable, UnavailableError } from './unavailable-error.js'

/** Options of {@link fileStores}. */
export interface FileStoresOptions {
  /**
   * `always` (default): what is acknowledged is on disk, and survives a loss of power. `never`: the system writes it when it
   * likes; it survives the end of the process alone, by `kill -9` too.
   */
  readonly fsync?: FsyncPolicy | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

/** Where one store keeps its log. */
export interface FilePlace {
  readonly file: string
  readonly fsync: FsyncPolicy
  readonly clock: Clock
}

/** A store, and what ends it. */
export interface OpenedFile<S> {
  readonly store: S
  close(): void
}

/** A folder in which each store of one process has a log of its own. */
export interface FileStores {
  /** The store of a name: opened by the first call, the same one for each call after it. For authors of stores. */
  store<S>(name: string, open: (place: FilePlace) => OpenedFile<S>): S
  /** Closes the logs, so that they can be opened again. A process that ends, by `kill -9` too, needs not. */
  close(): void
}

const RULES = {
  fsync: option.oneOf('always', 'never').default('always'),
  clock: option.clock().default(systemClock),
}
const COMPACT_EVERY_MS = 15_000

/**
 * The stores of an app that is one process: each keeps what it holds in memory and every change of it in a log, so that it
 * survives a restart and `kill -9`. The folder is made when there is none. Nothing is opened before a store asks for it.
 *
 * @throws {OptionError}
 * @throws {UnavailableError} when the folder cannot be made.
 * @example
 * const files = fileStores('/var/lib/app/countersign')
 * requireHmac({ secrets, audience, replay: fileReplay(files), legacyUsage: fileUsage(files) })
 * createMcpCredentials({ store: fileCredentials(files) })
 * createSettingsSessions({ baseUrl, store: fileSessions(files) })
 */
export function fileStores(folder: string, options: FileStoresOptions = {}): FileStores {
  const { fsync, clock } = resolveOptions('fileStores', options, RULES)
  const stores = new Map<string, OpenedFile<unknown>>()
  try {
    const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
    // A log that is on disk is found after a loss of power only when the names of its folders are, too.
    if (first !== undefined && fsync === 'always') {
      for (let made = resolve(folder); made.length >= resolve(first).length; made = dirname(made)) syncFolderOf(made)
    }
  } catch (cause) {
    const message = `fileStores: the folder cannot be created: ${(cause as Error).message}`
    throw new UnavailableError('file_stores', message, { cause })
  }
  return {
    store<S>(name: string, open: (place: FilePlace) => OpenedFile<S>): S {
      const known = stores.get(name) ?? open({ file: join(folder, name), fsync, clock })
      stores.set(name, known)
      return known.store as S
    },
    close() {
      for (const { close } of stores.values()) close()
      stores.clear()
    },
  }
}

/** Opens the log of a store, and writes it again when it has grown, until it is closed. */
export function openStoreLog<C extends object>(
  { file, fsync }: FilePlace,
  options: Omit<FileLogOptions<C>, 'file' | 'fsync'>,
): FileLog<C> {
  const log = openFileLog<C>({ ...options, file, fsync })
  const timer = setInterval(() => {
    try {
      log.compact()
    } catch (error) {
      // The next change says so.
      if (!isUnavailable(error)) throw error
    }
  }, COMPACT_EVERY_MS)
  timer.unref()
  return {
    ...log,
    close() {
      clearInterval(timer)
      log.close()
    },
  }
}
