// `npm run bench:http`: each variant in a process of its own behind a real server, for p50, p99 and the body reader.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { allCases, tableCases } from './cases/index.js'
import type { SentWire } from './http-child.js'
import { EMPTY } from './measure.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { requests: { type: 'string', default: '2000' }, connections: { type: 'string', default: '16' } },
})
const cases =
  positionals.length === 0 ? tableCases : allCases.filter(({ id }) => positionals.some((p) => id.startsWith(p)))

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

async function ask<T>(child: ChildProcess, question?: number): Promise<T> {
  if (question !== undefined) child.send(question)
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`a server of the benchmark ended with ${code}`)
  })
  exited.catch(() => undefined)
  const [answer] = (await Promise.race([once(child, 'message'), exited])) as [T]
  return answer
}

function send(agent: Agent, port: number, wire: SentWire): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(
      Array.from({ length: wire.headers.length / 2 }, (_, index) => wire.headers.slice(index * 2, index * 2 + 2)),
    ) as Record<string, string>
    const started = performance.now()
    const outgoing = request(
      { agent, host: '127.0.0.1', port, method: wire.method, path: wire.url, headers },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`refused with ${response.statusCode}`))
        response.resume().on('end', () => resolve(performance.now() - started))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(wire.body === undefined ? undefined : Buffer.from(wire.body, 'base64'))
  })
}

async function load(port: number, wires: readonly SentWire[], connections: number): Promise<Figures> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const times: number[] = []
  let next = 0
  const started = performance.now()
  const worker = async () => {
    for (let wire = wires[next++]; wire !== undefined; wire = wires[next++]) times.push(await send(agent, port, wire))
  }
  await Promise.all(Array.from({ length: connections }, worker))
  const seconds = (performance.now() - started) / 1000
  agent.destroy()
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), perSecond: times.length / seconds }
}

async function measure(id: string, name: string): Promise<Figures> {
  const child = fork(fileURLToPath(new URL('./http-child.ts', import.meta.url)), [id, name], {
    execArgv: ['--no-warnings', '--import', 'tsx'],
  })
  try {
    const { port } = await ask<{ port: number }>(child)
    const most = /-1m$/.test(id) ? 200 : Number(values.requests)
    const round = async (count: number) => {
      const { wires } = await ask<{ wires: SentWire[] }>(child, count)
      return load(port, wires, Number(values.connections))
    }
    await round(Math.ceil(most / 4))
    return await round(most)
  } finally {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
}

for (const one of cases) {
  const { variants, close } = await one.setup()
  await close()
  console.log(`\n${one.title}`)
  for (const name of [EMPTY[0], ...variants.map((variant) => variant.name)]) {
    const { p50, p99, perSecond } = await measure(one.id, name)
    console.log(
      `${name.padEnd(32)} p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  ${Math.round(perSecond)} requests/s`,
    )
  }
}
process.exit()
