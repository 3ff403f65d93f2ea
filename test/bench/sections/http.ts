import { Agent, request } from 'node:http'
import { type Case, shuffled } from '../case.js'
import { decisionCases } from '../cases/index.js'
import type { Question, Started } from '../http-child.js'
import { EMPTY } from '../measure.js'
import { type Answerer, startProcess } from '../processes.js'
import { isWanted, type Row, type Section } from '../row.js'
import { median } from '../statistics.js'
import type { Wire } from '../wire.js'

const CONNECTIONS = 16
/** Requests in one round of one variant. */
const REQUESTS = 200
const WARM_UP_ROUNDS = 5
/** One of each kind: what lies between them is the same server. */
const OVER_HTTP = /^(oauth-(rs256-1000|es256-new|dpop)|hmac-(0|1k|1m)|mcp-.*|settings-.*|express-4)$/

function send(agent: Agent, port: number, { method, url, fields, body }: Wire): Promise<number> {
  const text = fields.map((field) => Buffer.from(field).toString('latin1'))
  const headers = Object.fromEntries(text.flatMap((name, index) => (index % 2 === 0 ? [[name, text[index + 1]]] : [])))
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const outgoing = request({ agent, host: '127.0.0.1', port, method, path: url, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`refused with ${response.statusCode}`))
      response.resume().on('end', () => resolve(performance.now() - started))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** One variant in its process, and what was measured of it. */
class Served {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  readonly #child: Answerer = startProcess('./http-child.ts')
  #port = 0
  #times: number[] = []
  #rates: number[] = []
  #cpu: number[] = []

  readonly id: string
  readonly name: string

  constructor(id: string, name: string) {
    this.id = id
    this.name = name
  }

  async start(): Promise<Started> {
    const started = await this.#ask<Started>({ kind: 'start', id: this.id, name: this.name })
    this.#port = started.port
    return started
  }

  /** The first request alone, since it may fetch keys; then each that will come again. */
  async warmUp(): Promise<void> {
    await this.#load(await this.#ask<Wire[]>({ kind: 'wires', count: 1 }))
    await this.#load(await this.#ask<Wire[]>({ kind: 'seen' }))
  }

  async round(count: number, counts: boolean): Promise<void> {
    const wires = await this.#ask<Wire[]>({ kind: 'wires', count })
    const before = await this.#ask<number>({ kind: 'cpu' })
    const started = performance.now()
    const times = await this.#load(wires)
    const seconds = (performance.now() - started) / 1000
    const after = await this.#ask<number>({ kind: 'cpu' })
    if (!counts) return
    this.#times.push(...times)
    this.#rates.push(wires.length / seconds)
    this.#cpu.push((after - before) / wires.length)
  }

  figures(): Row['figures'] {
    const times = this.#times.sort((one, other) => one - other)
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
    return { p50: at(0.5), p99: at(0.99), perSecond: median(this.#rates), cpu: median(this.#cpu) }
  }

  async end(): Promise<void> {
    this.#agent.destroy()
    await this.#child.end()
  }

  #ask<T>(question: Question): Promise<T> {
    return this.#child.ask<T>(question)
  }

  async #load(wires: readonly Wire[]): Promise<number[]> {
    const times: number[] = []
    let next = 0
    const worker = async () => {
      for (let wire = wires[next++]; wire !== undefined; wire = wires[next++]) {
        times.push(await send(this.#agent, this.#port, wire))
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    return times
  }
}

async function measureCase({ id, title, maxSlice = REQUESTS }: Case, rounds: number): Promise<Row[]> {
  const empty = new Served(id, EMPTY[0])
  const served = [empty]
  try {
    const { variants } = await empty.start()
    for (const { name } of variants) {
      const one = new Served(id, name)
      served.push(one)
      await one.start()
    }
    for (const one of served) await one.warmUp()
    const count = Math.min(maxSlice, REQUESTS)
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      for (const one of shuffled(served)) await one.round(count, round >= 0)
    }
    return served.map((one) => {
      const isOurs = variants.some(({ name, isOurs }) => isOurs && name === one.name)
      return { id, task: title, name: one.name, isOurs, figures: one.figures() }
    })
  } finally {
    await Promise.all(served.map((one) => one.end()))
  }
}

export const http: Section = {
  id: 'http',
  title: 'Over HTTP',
  about: `A real server, one process a variant, asked over ${CONNECTIONS} connections that are kept alive, each sending its next request when
it has the answer; the variants take turns, round after round. p50 and p99 are milliseconds from request to answer as the client
sees them, its own work included; *µs of the server* is the CPU of the server's process a request, all threads counted, Express
and HTTP included. *empty* is the same server with a middleware that does nothing, and reads no body.`,
  columns: [
    { key: 'p50', title: 'p50, ms' },
    { key: 'p99', title: 'p99, ms' },
    { key: 'perSecond', title: 'requests per second' },
    { key: 'cpu', title: 'µs of the server' },
  ],
  compared: 'cpu',
  async *measure(options) {
    for (const one of decisionCases.filter(({ id }) => OVER_HTTP.test(id) && isWanted(options, id))) {
      yield await measureCase(one, options.rounds)
    }
  },
}
