// The stores of an app that is one process, and outlives it.

export type { FileReplayOptions } from './stores/file-replay.js'
export { fileReplay } from './stores/file-replay.js'
export type { FilePlace, FileStores, FileStoresOptions, OpenedFile } from './stores/file-stores.js'
export { fileStores, openStoreLog } from './stores/file-stores.js'
export type { FileUsageOptions } from './stores/file-usage.js'
export { fileUsage } from './stores/file-usage.js'
