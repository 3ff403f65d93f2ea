import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { UnavailableError } from '@countersign/core'
import { writePrivateFile } from '../../private-file.js'
import type { RevocableScope } from '../port.js'

/** An end: of everything in this scope that was issued until then. */
export interface Ended {
  readonly at: number
  /** `credential` is ended whatever the clock says; `overlap` is superseded, and usable until `at`. */
  readonly scope: RevocableScope | 'credential' | 'overlap'
  readonly id: string
  /** From then on nothing that it ended can be live in any snapshot. */
  readonly until: number
}

/** The journal's file beside a snapshot. */
function journalFile(snapshot: string): string {
  return `${snapshot}.ended`
}

/**
 * Records what is ended between two snapshots, on disk before it is acknowledged: a restart from an older snapshot
 * brings nothing back.
 */
export class Journal {
  #file: string | undefined
  /** For each compaction in progress, what was recorded since it read the file. */
  readonly #compactions = new Set<string[]>()

  /** Journals beside this snapshot from now on. */
  open(snapshot: string): void {
    this.#file = journalFile(snapshot)
  }

  get isOpen(): boolean {
    return this.#file !== undefined
  }

  /** @throws {UnavailableError} when it cannot be written: what was ended is ended, but not for a restart. */
  append(entries: readonly Ended[]): void {
    if (this.#file === undefined || entries.length === 0) return
    // On a new line, also after one that a crash or a full disk cut off.
    const text = `\n${linesOf(entries).join('')}`
    try {
      appendFileSync(this.#file, text, { mode: 0o600, flush: true })
    } catch (cause) {
      const { message } = cause as Error
      throw new UnavailableError('credential_store', `the revocation is not on disk: ${message}`, { cause })
    }
    for (const meanwhile of this.#compactions) meanwhile.push(text)
  }

  /** Drops what no snapshot can hold any more, and nothing that is recorded meanwhile. */
  async compact(snapshot: string, now: number): Promise<void> {
    const meanwhile: string[] = []
    this.#compactions.add(meanwhile)
    try {
      const entries = await readJournal(snapshot)
      const kept = entries.filter(({ until }) => until >= now)
      if (kept.length === entries.length) return
      await writePrivateFile(journalFile(snapshot), linesOf(kept), { last: () => meanwhile.join('') })
    } finally {
      this.#compactions.delete(meanwhile)
    }
  }
}

const linesOf = (entries: readonly Ended[]): string[] => entries.map((entry) => `${JSON.stringify(entry)}\n`)

/** The journal beside a snapshot. A last line that a crash cut off was never acknowledged. */
export async function readJournal(snapshot: string): Promise<Ended[]> {
  const text = await readFile(journalFile(snapshot), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Ended]
    } catch {
      return []
    }
  })
}
