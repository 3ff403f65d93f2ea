import { afterAll } from '@jest/globals'
import { RedisServer, startRedisCluster } from './redis-server.js'

/** Servers of one test file, for those of its tests that neither stop nor set up a server: started when first asked for. */
function shared(
  start: () => Promise<{ readonly nodes: readonly RedisServer[]; stop(): Promise<void> }>,
): () => Promise<readonly RedisServer[]> {
  let started: ReturnType<typeof start> | undefined
  afterAll(async () => (await started)?.stop())
  return async () => {
    started ??= start()
    return (await started).nodes
  }
}

/** The three masters of a cluster. */
export const sharedCluster: () => Promise<readonly RedisServer[]> = shared(() => startRedisCluster())

/** One server. */
export const sharedServer: () => Promise<readonly RedisServer[]> = shared(async () => {
  const server = await RedisServer.start()
  return { nodes: [server], stop: () => server.stop() }
})
