import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAudit } from '@countersign/core'
import { decision } from '../../../test/support/audit-events.js'
import { jsonl } from '../src/jsonl.js'

export { decision }

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-audit-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the first line of a chain names as the line before it. */
export const ZEROS = '0'.repeat(64)
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** Appends one event for each reason and closes the file. */
export async function write(path: string, ...names: string[]): Promise<void> {
  const audit = createAudit({ sinks: [jsonl(path)] })
  for (const reason of names) audit.emit(decision({ reason }))
  await audit.close()
}

export const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1)
export const reasonsOf = (path: string) => linesOf(path).map((line) => (JSON.parse(line) as { reason: string }).reason)
