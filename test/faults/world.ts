import { fileURLToPath } from 'node:url'
import { type ChildApp, startChildApp } from '../support/child-app.js'
import { messageFrom } from '../support/child-messages.js'
import { type HangingRedis, hangingRedis } from '../support/hanging-redis.js'
import { RedisServer, startRedisCluster } from '../support/redis-server.js'
import { type StableAddress, stableAddress } from '../support/stable-address.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'

/** What the app's Redis is: one server, one behind a network with faults, a stable address, or 3 masters and 3 replicas. */
export type Place = 'server' | 'network' | 'address' | 'cluster'

/** An app with four gates in a process of its own, its Redis, and its authorization server. */
export interface World {
  readonly app: ChildApp
  /** The app as a browser names it: its settings are on `localhost`. */
  readonly url: string
  readonly issuer: TestIssuer
  /** The one, or the primary and its replica, or the nodes of the cluster. */
  readonly servers: readonly [RedisServer, ...RedisServer[]]
  readonly network: HangingRedis | undefined
  readonly address: StableAddress | undefined
  close(): Promise<void>
}

/** Written to disk at each write, so that a killed server comes back with what it had. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']
const APP = fileURLToPath(new URL('app-process.ts', import.meta.url))

export async function startWorld(place: Place): Promise<World> {
  const servers = await startServers(place)
  const [first] = servers
  const network = place === 'network' ? await hangingRedis(first.port) : undefined
  const address = place === 'address' ? await stableAddress(first) : undefined
  const issuer = await testIssuer({ resource: 'https://app.example.com', algorithm: 'ES256' })
  const ports = place === 'cluster' ? servers.map(({ port }) => port) : [(network ?? address ?? first).port]
  const app = await startChildApp(APP, {
    REDIS_PORTS: JSON.stringify(ports),
    ISSUER: issuer.url,
    RESOURCE: issuer.resource,
  })
  return {
    app,
    url: app.url.replace('127.0.0.1', 'localhost'),
    issuer,
    servers,
    network,
    address,
    async close() {
      await app.stop()
      await network?.close()
      address?.close()
      await issuer.stop()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

async function startServers(place: Place): Promise<readonly [RedisServer, ...RedisServer[]]> {
  if (place === 'cluster') return (await startRedisCluster(1)).nodes as [RedisServer, ...RedisServer[]]
  const first = await RedisServer.start(...DURABLE)
  if (place !== 'address') return [first]
  const replica = await RedisServer.start(...DURABLE, '--replicaof', '127.0.0.1', String(first.port))
  await untilInfo(replica, 'master_link_status:up')
  return [first, replica]
}

/** Waits until a server says this of its replication. */
export async function untilInfo(server: RedisServer, line: string): Promise<void> {
  while (!String(await server.command('INFO', 'replication')).includes(line)) await pause(20)
}

export interface Measured {
  /** Since the measurement before. */
  readonly lagMs: { readonly p99: number; readonly max: number }
  /** After a collection of garbage. */
  readonly heapBytes: number
}

/** What the app's process says of itself. */
export function measure({ app }: World): Promise<Measured> {
  const measured = messageFrom(app.process, (message) => message as unknown as Measured)
  app.process.send({ measure: true })
  return measured
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
