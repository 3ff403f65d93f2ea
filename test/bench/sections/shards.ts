import { xHeaders } from '@countersign/hmac'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { type RedisClient, redisReplay } from '@countersign/redis'
import { redisSessions } from '@countersign/settings-session/redis'
import { Redis } from 'ioredis'
import type { Variant } from '../case.js'
import { startCluster } from '../cases/cluster.js'
import { ours as hmac } from '../cases/hmac.js'
import { ours as mcp } from '../cases/mcp.js'
import { open } from '../cases/open-session.js'
import { infoFields, patient, serverMicros, startRedis } from '../cases/redis.js'
import { ours as settings } from '../cases/settings.js'
import { runInFlight, warmUp } from '../measure.js'
import { isWanted, type Row, type Section } from '../row.js'

const RECORDS = 20_000
const DECISIONS = 10_000
const options = patient

interface Stored {
  readonly id: string
  readonly task: string
  /** A gate on this Redis, with so many records in it. */
  make(redis: RedisClient, count: number): Promise<Variant>
}

const stores: readonly Stored[] = [
  {
    id: 'shards-mcp',
    task: 'MCP credentials',
    make: async (redis, count) => (await mcp(redisCredentials(redis, options), count)).variant,
  },
  {
    id: 'shards-settings',
    task: 'Settings sessions',
    make: (redis, count) => settings(redisSessions(redis, options), count, open),
  },
  {
    id: 'shards-replay',
    task: 'Replay claims',
    async make(redis, count) {
      const variant = hmac('xHeaders', xHeaders(), 0, { replay: redisReplay(redis, options) })
      for (let done = 0; done < count; done += 1000) await runInFlight(variant, await variant.wires(1000))
      return variant
    },
  },
]

/** Without what the server keeps for its connections. */
async function usedBytes(redis: Redis): Promise<number> {
  const fields = infoFields(await redis.info('memory'))
  return Number(fields.get('used_memory')) - Number(fields.get('mem_clients_normal'))
}

/** µs that a server has spent in scripts since its statistics were reset. Several decisions share a script. */
async function executed(redis: Redis): Promise<number> {
  const script = infoFields(await redis.info('commandstats')).get('cmdstat_evalsha') ?? ''
  return Number(/usec=(\d+)/.exec(script)?.[1] ?? 0)
}

/** What each server has spent. */
async function decide(variant: Variant, nodes: readonly Redis[]): Promise<number[]> {
  await warmUp(variant)
  const wires = await variant.wires(DECISIONS)
  for (const node of nodes) await node.config('RESETSTAT')
  await runInFlight(variant, wires)
  return Promise.all(nodes.map(executed))
}

async function onOne({ make }: Stored): Promise<Row['figures']> {
  const server = await startRedis()
  const [client, node] = [new Redis(server.url), new Redis(server.url)]
  try {
    await make(client, 100)
    const before = await usedBytes(node)
    const variant = await make(client, RECORDS)
    const bytes = ((await usedBytes(node)) - before) / RECORDS
    const cpu = await serverMicros(node)
    const [micros = Number.NaN] = await decide(variant, [node])
    const seen = variant.seen?.().length ?? 0
    const server = ((await serverMicros(node)) - cpu) / (DECISIONS + seen)
    return { bytes, server, micros: micros / DECISIONS, busiest: 1 }
  } finally {
    client.disconnect()
    node.disconnect()
    await server.close()
  }
}

/** A cluster's masters talk to each other all the time: what they execute is counted, not their CPU. */
async function onSixteen({ make }: Stored): Promise<Row['figures']> {
  const { client, nodes, close } = await startCluster()
  try {
    const all = await decide(await make(client, DECISIONS), nodes)
    const total = all.reduce((sum, one) => sum + one, 0)
    return { micros: total / DECISIONS, busiest: Math.max(...all) / total }
  } finally {
    await close()
  }
}

export const shards: Section = {
  id: 'shards',
  title: 'One Redis server, and a cluster of sixteen',
  about: `One store alone on a server with ${RECORDS.toLocaleString('en')} records, and on a cluster of sixteen masters. *Bytes a record*: how much
\`used_memory\` grows. *µs of the server*: its whole CPU a decision, by \`INFO cpu\`; *executing*: in the script alone. *Busiest master*:
its share of what all masters execute; a sixteenth is as even as it gets. The masters have equal ranges of slots, as
\`redis-cli --cluster create\` lays them.`,
  columns: [
    { key: 'bytes', title: 'bytes a record' },
    { key: 'server', title: 'µs of the server' },
    { key: 'micros', title: 'µs executing' },
    { key: 'busiest', title: 'busiest master' },
  ],
  async *measure(options) {
    for (const store of stores) {
      if (!isWanted(options, store.id)) continue
      const row = { id: store.id, task: store.task, isOurs: true }
      yield [
        { ...row, name: 'one server', figures: await onOne(store) },
        { ...row, name: 'sixteen masters', figures: await onSixteen(store) },
      ]
    }
  },
}
