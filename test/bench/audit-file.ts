// `npm run bench:audit-file`: what the audit file takes, beside pino's destination, each variant in a process of its own.
// `-- --before <a built checkout>` measures that one's file too, in the same run.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Audit, AuditEvent, AuditSink } from '@countersign/core'
import express from 'express'
import pino from 'pino'

const VARIANTS = ['jsonl', 'jsonl, required', 'jsonl before', 'pino, buffered', 'pino, each line'] as const
type VariantName = (typeof VARIANTS)[number]

interface Job {
  readonly variant: VariantName
  readonly mode: 'loop' | 'paced' | 'express'
  readonly path: string
  readonly before: string | undefined
}

/** Events of one loop, and of one second of the paced one. */
const EVENTS = 100_000
const CONNECTIONS = 16
const EXPRESS_MS = 3000

type Emitters = { readonly createAudit: () => Audit }
type Files = { readonly jsonl: (path: string) => AuditSink }

const event = () => ({
  type: 'access.granted' as const,
  gate: 'mcp-credential',
  owasp: 'authn_login_success' as const,
  principal: { kind: 'mcp-credential', id: 'thread-1' },
  credential: { id: 'credential-1' },
  latencyMs: 0.042,
  http: { method: 'POST', route: '/mcp', requestId: 'request-1', clientAddress: '192.0.2.1', userAgent: 'agent/1' },
})

async function emitterOf({ variant, path, before }: Job): Promise<Audit> {
  const isBefore = variant === 'jsonl before'
  const built = (file: string) => import(pathToFileURL(`${before}/packages/audit/dist/${file}`).href)
  const { createAudit } = (await (isBefore ? built('index.js') : import('@countersign/audit'))) as Emitters
  const audit = createAudit()
  if (variant.startsWith('jsonl')) {
    const { jsonl } = (await (isBefore ? built('jsonl.js') : import('@countersign/audit/jsonl'))) as Files
    audit.subscribe(jsonl(path), { required: variant === 'jsonl, required', deadlineMs: 60_000 })
    return audit
  }
  const destination = pino.destination(
    variant === 'pino, each line' ? { dest: path, sync: true } : { dest: path, sync: false, minLength: 4096 },
  )
  const write = (told: AuditEvent) => void destination.write(`${JSON.stringify(told)}\n`)
  const flush = () => new Promise<void>((resolve, reject) => destination.flush((e) => (e ? reject(e) : resolve())))
  audit.subscribe({ write, flush })
  return audit
}

/** Events for which a required sink said that it did not take them: a gate answers 503 then, and nothing is lost. */
let refused = 0

function emit(audit: Audit): void {
  const taken = audit.emit(event())
  if (typeof taken !== 'boolean') void taken.then((isTaken) => (isTaken ? undefined : countRefused()))
}

function countRefused(): void {
  refused += 1
}

/** As fast as it goes, a hundred in each turn of the event loop. */
async function loop(audit: Audit): Promise<number> {
  for (let done = 0; done < EVENTS; done += 1) {
    emit(audit)
    if (done % 100 === 99) await turn()
  }
  return EVENTS
}

/** 100,000 in each second, for two seconds; a process that was not run meanwhile does not catch up in one turn. */
async function paced(audit: Audit): Promise<number> {
  let done = 0
  for (let lastMs = performance.now(); done < 2 * EVENTS; await wait(1)) {
    const nowMs = performance.now()
    const due = Math.min(2 * EVENTS - done, Math.ceil(((nowMs - lastMs) / 1000) * EVENTS), EVENTS / 20)
    for (let count = 0; count < due; count += 1) emit(audit)
    done += due
    lastMs = nowMs
  }
  return done
}

/** Express behind loopback HTTP, as many requests as its client can send; each is one event and awaits a required sink. */
async function serveExpress(audit: Audit): Promise<number> {
  let decided = 0
  const app = express().disable('x-powered-by')
  app.get('/', async (_request, response) => {
    decided += 1
    response.statusCode = (await audit.emit(event())) ? 200 : 503
    response.end()
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.({ port: (server.address() as { port: number }).port })
  await once(process, 'message')
  server.closeAllConnections()
  server.close()
  return decided
}

const MODES = { loop, paced, express: serveExpress }

async function work(job: Job): Promise<void> {
  const audit = await emitterOf(job)
  await turn()
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const events = await MODES[job.mode](audit)
  const isFlushed = await audit.flush(60_000)
  const ms = performance.now() - startMs
  const { user, system } = process.cpuUsage(cpu)
  process.send?.({ events, ms, cpu: (user + system) / events, isFlushed, refused })
  process.disconnect()
}

interface Figures {
  readonly events: number
  readonly ms: number
  readonly cpu: number
  readonly isFlushed: boolean
  readonly refused: number
}

async function hear<T>(child: ChildProcess): Promise<T> {
  return ((await once(child, 'message')) as [T])[0]
}

async function measure(job: Job): Promise<Record<string, string>> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(job)], {
    execArgv: ['--import', 'tsx', '--no-warnings'],
  })
  let answered503 = 0
  if (job.mode === 'express') {
    const { port } = await hear<{ port: number }>(child)
    answered503 = await load(port)
    child.send('stop')
  }
  const { events, ms, cpu, isFlushed, ...told } = await hear<Figures>(child)
  if (child.exitCode === null) await once(child, 'exit')
  const text = readFileSync(job.path)
  let lines = 0
  for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines += 1
  const notTaken = answered503 + told.refused
  const lost = events - lines - notTaken
  return {
    mode: job.mode,
    variant: job.variant,
    'events a second': Math.round((events / ms) * 1000).toLocaleString('en'),
    'µs of CPU each': cpu.toFixed(1),
    lost: `${lost.toLocaleString('en')} (${((100 * lost) / events).toFixed(1)} %)${isFlushed ? '' : ', not flushed'}`,
    'not taken': notTaken.toLocaleString('en'),
  }
}

/** Requests over so many connections; how many were refused. */
async function load(port: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const untilMs = performance.now() + EXPRESS_MS
  let refused = 0
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const request = get({ port, host: '127.0.0.1', agent }, (response) => {
        if (response.statusCode !== 200) refused += 1
        response.resume().on('end', resolve)
      })
      request.on('error', reject)
    })
  const connection = async () => {
    while (performance.now() < untilMs) await ask()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  agent.destroy()
  return refused
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { before: { type: 'string' }, mode: { type: 'string', multiple: true } } })
  const modes = (values.mode ?? ['loop', 'paced', 'express']) as Job['mode'][]
  const rows: Record<string, string>[] = []
  for (const mode of modes) {
    for (const variant of VARIANTS) {
      if (variant === 'jsonl before' && values.before === undefined) continue
      const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
      try {
        rows.push(await measure({ variant, mode, path: join(folder, 'audit.jsonl'), before: values.before }))
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }
  console.table(rows)
}

const [, , job = ''] = process.argv
if (job.startsWith('{')) await work(JSON.parse(job) as Job)
else await main()
