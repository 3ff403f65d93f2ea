import { Cluster, Redis } from 'ioredis'
import { startRedis } from './redis.js'

const MASTERS = 16
const RANGE = 16_384 / MASTERS

export interface RunningCluster {
  /** For a store; its nodes are asked for themselves by `nodes`. */
  readonly client: Cluster
  readonly nodes: readonly Redis[]
  close(): Promise<void>
}

/** A cluster of sixteen masters on this machine, without replicas, with equal ranges of slots. */
export async function startCluster(): Promise<RunningCluster> {
  const servers = await Promise.all(
    Array.from({ length: MASTERS }, () => startRedis('--cluster-enabled', 'yes', '--cluster-node-timeout', '15000')),
  )
  const nodes = servers.map(({ url }) => new Redis(url))
  for (const [index, node] of nodes.entries()) {
    await node.call('CLUSTER', 'ADDSLOTSRANGE', String(index * RANGE), String((index + 1) * RANGE - 1))
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
