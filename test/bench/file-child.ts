// One process of the file rig: emits events as fast as it can, or 100,000 in each second, into one kind of file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { jsonl } from '@countersign/audit/jsonl'
import { type Audit, type AuditEvent, createAudit } from '@countersign/core'
import pino from 'pino'
import { grantedEvent } from './cases/audit.js'
import type { FileFigures, FileJob } from './cases/files.js'
import { answerWith } from './processes.js'

/** Events of one loop, and of one second of the paced one. */
const EVENTS = 100_000
const TURN = 100

function emitterTo(path: string, writer: FileJob['writer']): Audit {
  const audit = createAudit()
  if (writer.startsWith('jsonl')) {
    audit.subscribe(jsonl(path), { required: writer === 'jsonl required', deadlineMs: 60_000 })
    return audit
  }
  const destination = pino.destination(
    writer === 'pino, each line' ? { dest: path, sync: true } : { dest: path, sync: false, minLength: 4096 },
  )
  const write = (told: AuditEvent) => void destination.write(`${JSON.stringify(told)}\n`)
  const flush = () => new Promise<void>((resolve, reject) => destination.flush((e) => (e ? reject(e) : resolve())))
  audit.subscribe({ write, flush })
  return audit
}

/** So many in each turn of the event loop. */
async function loop(emit: () => void): Promise<number> {
  for (let done = 0; done < EVENTS; done += TURN) {
    for (let count = 0; count < TURN; count += 1) emit()
    await turn()
  }
  return EVENTS
}

/** For two seconds; a process that was not run meanwhile does not catch up in one turn. */
async function paced(emit: () => void): Promise<number> {
  let done = 0
  for (let lastMs = performance.now(); done < 2 * EVENTS; await wait(1)) {
    const nowMs = performance.now()
    const due = Math.min(2 * EVENTS - done, Math.ceil(((nowMs - lastMs) / 1000) * EVENTS), EVENTS / 20)
    for (let count = 0; count < due; count += 1) emit()
    done += due
    lastMs = nowMs
  }
  return done
}

function linesOf(path: string): number {
  const text = readFileSync(path)
  let lines = 0
  for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines += 1
  return lines
}

async function measure({ writer, pace }: FileJob): Promise<FileFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const path = join(folder, 'audit.jsonl')
  const audit = emitterTo(path, writer)
  let refused = 0
  const emit = () => {
    const taken = audit.emit(grantedEvent())
    if (typeof taken === 'boolean') return
    void taken.then((isTaken) => {
      if (!isTaken) refused += 1
    })
  }
  try {
    await turn()
    const cpu = process.cpuUsage()
    const startMs = performance.now()
    const events = await (pace === 'as fast as it goes' ? loop(emit) : paced(emit))
    if (!(await audit.flush(60_000))) throw new Error(`${writer} was not flushed in a minute`)
    const seconds = (performance.now() - startMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    const lost = events - linesOf(path) - refused
    return { perSecond: events / seconds, micros: (user + system) / events, lost, refused }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

answerWith(measure)
