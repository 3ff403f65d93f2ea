import { Redis } from 'ioredis'
import type { Case, Variant } from '../case.js'
import { redisCases } from '../cases/index.js'
import { infoFields, serverMicros } from '../cases/redis.js'
import { runInFlight, warmUp } from '../measure.js'
import { isWanted, type Row, type Section } from '../row.js'

const DECISIONS = 5000
/** Fewer, since a server that tells what it does is slow. */
const WATCHED = 200

/** The commands that clients sent while something ran, by name; what a script calls is not among them. */
async function commandsSent(url: string, run: () => Promise<void>): Promise<ReadonlyMap<string, number>> {
  const watching = new Redis(url)
  const monitor = await watching.monitor()
  const marker = new Redis(url)
  const sent = new Map<string, number>()
  let isOn = false
  try {
    const isOver = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, [command = '', text]: readonly string[], source: string) => {
        const name = command.toLowerCase()
        if (name === 'echo' && text === 'over') resolve()
        else if (name === 'echo') isOn = true
        else if (isOn && source !== 'lua') sent.set(name, (sent.get(name) ?? 0) + 1)
      })
    })
    await marker.echo('on')
    await run()
    await marker.echo('over')
    await isOver
    return sent
  } finally {
    for (const client of [monitor, watching, marker]) client.disconnect()
  }
}

async function measureVariant(variant: Variant, url: string): Promise<Row['figures']> {
  await warmUp(variant)
  const watched = await variant.wires(WATCHED)
  const sent = await commandsSent(url, () => runInFlight(variant, watched))
  const redis = new Redis(url)
  try {
    const wires = await variant.wires(DECISIONS)
    await redis.config('RESETSTAT')
    const before = await serverMicros(redis)
    await runInFlight(variant, wires)
    const serverCpu = (await serverMicros(redis)) - before
    const stats = infoFields(await redis.info('commandstats'))
    const executing = [...sent.keys()].map((name) => /usec=(\d+)/.exec(stats.get(`cmdstat_${name}`) ?? '')?.[1] ?? 0)
    const total = (counts: Iterable<number>) => [...counts].reduce((sum, count) => sum + count, 0)
    return {
      commands: total(sent.values()) / WATCHED,
      micros: total(executing.map(Number)) / DECISIONS,
      server: serverCpu / DECISIONS,
    }
  } finally {
    redis.disconnect()
  }
}

async function measureCase({ id, title, setup }: Case): Promise<Row[]> {
  const { variants, close } = await setup()
  const rows: Row[] = []
  try {
    for (const variant of variants) {
      if (variant.redis === undefined) continue
      const { name, isOurs, size } = variant
      rows.push({ id, task: title, name, isOurs, size, figures: await measureVariant(variant, variant.redis) })
    }
    return rows
  } finally {
    await close()
  }
}

export const redis: Section = {
  id: 'redis',
  title: 'What Redis does',
  about: `Commands that a decision sends (counted by \`MONITOR\`, without those that a script calls), the server's µs of CPU in
executing them (\`usec\` of \`INFO commandstats\`), and the whole server's µs of CPU a decision, reading and writing sockets
included (\`INFO cpu\`).`,
  columns: [
    { key: 'commands', title: 'commands' },
    { key: 'micros', title: 'µs executing' },
    { key: 'server', title: 'µs of the server' },
  ],
  compared: 'server',
  async *measure(options) {
    for (const one of redisCases.filter(({ id }) => isWanted(options, id))) yield await measureCase(one)
  },
}
