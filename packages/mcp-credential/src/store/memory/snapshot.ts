import { readFile } from 'node:fs/promises'
import { withPage } from '@countersign/core/gate-kit'
import { writePrivateFile } from '../../private-file.js'
import type { CredentialLife } from '../port.js'
import type { CredentialTable } from './credential-table.js'
import { type Moment, type StoredEntry, wallOffset } from './entry.js'
import { exportEntries, importEntries } from './exchange.js'
import { readJournal } from './journal.js'

const FORMAT = 'countersign-mcp-credentials'
const VERSION = 1
const ENTRIES_PER_WRITE = 1000

interface Header {
  readonly format: typeof FORMAT
  readonly version: typeof VERSION
  readonly entries: number
  readonly retired: readonly (readonly [threadId: string, until: number])[]
}

/** Writes what is live or can be revived: one line of JSON for the header and one for each credential. */
export async function writeSnapshot(
  file: string,
  table: CredentialTable,
  at: Moment,
  life: CredentialLife,
): Promise<number> {
  const entries = exportEntries(table, at, life)
  const offset = wallOffset(at)
  const retired = table.retired.entries().map(([threadId, until]) => [threadId, until + offset] as const)
  const header: Header = { format: FORMAT, version: VERSION, entries: entries.length, retired }
  await writePrivateFile(file, linesOf(header, entries))
  return entries.length
}

function* linesOf(header: Header, entries: readonly StoredEntry[]): Generator<string> {
  yield `${JSON.stringify(header)}\n`
  for (let from = 0; from < entries.length; from += ENTRIES_PER_WRITE) {
    const lines = entries.slice(from, from + ENTRIES_PER_WRITE).map((entry) => `${JSON.stringify(entry)}\n`)
    yield lines.join('')
  }
}

/** Reads a snapshot back, without what was ended since; 0 when there is no file. A damaged one restores nothing. */
export async function readSnapshot(
  file: string,
  table: CredentialTable,
  moment: () => Moment,
  life: CredentialLife,
): Promise<number> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return 0
  const { header, entries } = parseSnapshot(text)
  const ended = await readJournal(file)
  const at = moment()
  for (const [threadId, until] of header.retired) table.retired.add(threadId, until - wallOffset(at), at.now)
  return importEntries(table, entries, ended, at, life)
}

function parseSnapshot(text: string): { header: Header; entries: StoredEntry[] } {
  try {
    const [first = '', ...lines] = text.split('\n').filter((line) => line !== '')
    const header = JSON.parse(first) as Header
    const entries = lines.map((line) => JSON.parse(line) as StoredEntry)
    if (header.format !== FORMAT || header.version !== VERSION || entries.length !== header.entries) throw new Error()
    if (!entries.every(isStoredEntry) || !Array.isArray(header.retired)) throw new Error()
    return { header, entries }
  } catch {
    // The parser's message is left out: it quotes the text.
    const code = 'ERR_COUNTERSIGN_SNAPSHOT_INVALID'
    const message = 'the file is not a whole snapshot of memoryCredentials: nothing was restored'
    throw Object.assign(new Error(withPage(message, code)), { code })
  }
}

function isStoredEntry(entry: StoredEntry): boolean {
  const texts = [entry.id, entry.digest, entry.threadId, entry.providerInstanceId]
  const times = [entry.issuedAt, entry.expires, entry.idleLeftMs]
  return (
    texts.every((text) => typeof text === 'string') &&
    times.every((time) => Number.isFinite(time)) &&
    Buffer.from(entry.digest, 'base64').length === 32 &&
    Array.isArray(entry.capabilities) &&
    entry.capabilities.every((capability) => typeof capability === 'string')
  )
}
