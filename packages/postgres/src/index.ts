export type { PostgresClient, PostgresStoreOptions } from './client.js'
export { postgresReplay } from './postgres-replay.js'
export type { PostgresUsageOptions } from './postgres-usage.js'
export { postgresUsage } from './postgres-usage.js'
