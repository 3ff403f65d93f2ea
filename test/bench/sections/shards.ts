import { xHeaders } from '@countersign/hmac'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { type RedisClient, redisReplay } from '@countersign/redis'
import { keyTag } from '@countersign/redis/store'
import { redisSessions } from '@countersign/settings-session/redis'
import { Redis } from 'ioredis'
import type { Variant } from '../case.js'
import { type Layout, startCluster } from '../cases/cluster.js'
import { ours as hmac } from '../cases/hmac.js'
import { ours as mcp } from '../cases/mcp.js'
import { open } from '../cases/open-session.js'
import { infoFields, patient, serverMicros, startRedis } from '../cases/redis.js'
import { ours as settings } from '../cases/settings.js'
import { runInFlight, warmUp } from '../measure.js'
import { isWanted, type Row, type Section } from '../row.js'

const RECORDS = 20_000
const DECISIONS = 10_000
const PARTITIONS = 16
const NAMESPACE = 'cs'
const options = { ...patient, namespace: NAMESPACE }

interface Stored {
  readonly id: string
  readonly task: string
  /** What the keys of a partition begin with, beside the namespace. */
  readonly keys: string
  /** A gate on this Redis, with so many records in it. */
  make(redis: RedisClient, count: number): Promise<Variant>
}

const stores: readonly Stored[] = [
  {
    id: 'shards-mcp',
    task: 'MCP credentials',
    keys: 'mcp',
    make: async (redis, count) => (await mcp(redisCredentials(redis, options), count)).variant,
  },
  {
    id: 'shards-settings',
    task: 'Settings sessions',
    keys: 'settings',
    make: (redis, count) => settings(redisSessions(redis, options), count, open),
  },
  {
    id: 'shards-replay',
    task: 'Replay claims',
    keys: 'replay',
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

interface Executed {
  readonly decisions: number
  readonly micros: number
}

/** What a server has executed since its statistics were reset: a decision is one script. */
async function executed(redis: Redis): Promise<Executed> {
  const script = infoFields(await redis.info('commandstats')).get('cmdstat_evalsha') ?? ''
  const number = (name: string) => Number(new RegExp(`${name}=(\\d+)`).exec(script)?.[1] ?? 0)
  return { decisions: number('calls'), micros: number('usec') }
}

async function decide(variant: Variant, nodes: readonly Redis[]): Promise<Executed[]> {
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
    const [all] = await decide(variant, [node])
    const seen = variant.seen?.().length ?? 0
    const server = ((await serverMicros(node)) - cpu) / (DECISIONS + seen)
    return { bytes, server, micros: (all?.micros ?? Number.NaN) / DECISIONS, busiest: 1 }
  } finally {
    client.disconnect()
    node.disconnect()
    await server.close()
  }
}

/** A cluster's masters talk to each other all the time: what they execute is counted, not their CPU. */
async function onSixteen({ make, keys }: Stored, layout: Layout): Promise<Row['figures']> {
  const tags = Array.from({ length: PARTITIONS }, (_, partition) => keyTag(NAMESPACE, keys, partition))
  const { client, nodes, close } = await startCluster(layout, [tags])
  try {
    const all = await decide(await make(client, DECISIONS), nodes)
    const total = all.reduce((sum, { decisions }) => sum + decisions, 0)
    const micros = all.reduce((sum, one) => sum + one.micros, 0) / total
    return { micros, busiest: Math.max(...all.map(({ decisions }) => decisions)) / total }
  } finally {
    await close()
  }
}

export const shards: Section = {
  id: 'shards',
  title: 'One Redis server, and a cluster of sixteen',
  about: `One store alone on a server with ${RECORDS.toLocaleString('en')} records, and on a cluster of sixteen masters. *Bytes a record*: how much
\`used_memory\` grows. *µs of the server*: its whole CPU a decision, by \`INFO cpu\`; *executing*: in the script alone. *Busiest master*:
its share of all decisions; a sixteenth is as even as it gets. A store has sixteen partitions, each in one slot: in the equal
ranges of \`redis-cli --cluster create\` several of them are on one master.`,
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
        { ...row, name: 'sixteen masters, equal ranges', figures: await onSixteen(store, 'equal ranges') },
        { ...row, name: 'sixteen masters, a partition each', figures: await onSixteen(store, 'a partition each') },
      ]
    }
  },
}
