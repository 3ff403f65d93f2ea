import { Cluster, Redis } from 'ioredis'
import { startRedis } from './redis.js'

const MASTERS = 16
const SLOTS = 16_384

/** Where a cluster's slots are: in equal ranges, as `redis-cli --cluster create` lays them, or these keys' each on a master of its own. */
export type Layout = 'equal ranges' | 'a partition each'

export interface RunningCluster {
  /** For a store; its nodes are asked for themselves by `nodes`. */
  readonly client: Cluster
  readonly nodes: readonly Redis[]
  close(): Promise<void>
}

/** Ranges of consecutive slots, since a command for each would take a while. */
function rangesOf(owners: readonly number[], owner: number): number[] {
  const ranges: number[] = []
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if (owners[slot] !== owner) continue
    if (owners[slot - 1] !== owner) ranges.push(slot)
    if (owners[slot + 1] !== owner) ranges.push(slot)
  }
  return ranges
}

/** A cluster of sixteen masters on this machine, without replicas. `tags`: for each store, a key of each of its partitions. */
export async function startCluster(layout: Layout, tags: readonly (readonly string[])[]): Promise<RunningCluster> {
  const servers = await Promise.all(
    Array.from({ length: MASTERS }, () => startRedis('--cluster-enabled', 'yes', '--cluster-node-timeout', '15000')),
  )
  const nodes = servers.map(({ url }) => new Redis(url))
  const owners = Array.from({ length: SLOTS }, (_, slot) => Math.floor((slot * MASTERS) / SLOTS))
  if (layout === 'a partition each') {
    for (const keys of tags) {
      for (const [partition, key] of keys.entries()) owners[Number(await nodes[0]?.cluster('KEYSLOT', key))] = partition
    }
  }
  for (const [index, node] of nodes.entries()) {
    await node.call('CLUSTER', 'ADDSLOTSRANGE', ...rangesOf(owners, index).map(String))
    // Of two nodes with one epoch the cluster would make it two, later.
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    // Each the others: to hear of them from one takes seconds.
    for (const { url } of servers.slice(0, index)) await node.call('CLUSTER', 'MEET', '127.0.0.1', new URL(url).port)
  }
  for (const node of nodes) await untilJoined(node)
  const client = new Cluster(servers.map(({ url }) => ({ host: '127.0.0.1', port: Number(new URL(url).port) })))
  return {
    client,
    nodes,
    close: async () => {
      client.disconnect()
      for (const node of nodes) node.disconnect()
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}

async function untilJoined(node: Redis): Promise<void> {
  for (;;) {
    const told = String(await node.call('CLUSTER', 'INFO'))
    if (told.includes('cluster_state:ok') && told.includes(`cluster_known_nodes:${MASTERS}`)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
