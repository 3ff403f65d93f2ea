import type { SealedSecret, SecretsTable } from '@countersign/hmac/postgres'
import { SHARED_CALLER } from '@countersign/hmac/store'
import { Option } from 'commander'
import type { CommandDefinition } from '../command.js'
import type { Context } from '../context.js'
import { failedError, usageError } from '../errors.js'
import { readInput, readSecret } from '../input.js'
import { readOldTable, type SealedRow } from './old-table.js'
import { type PostgresBackend, postgresBackend, requireReadable } from './postgres-backend.js'
import { addTableOptions } from './with-secrets.js'

interface ImportOptions extends SecretsTable {
  readonly kekFile?: string
  readonly fromTable?: string
  readonly columns?: string
  readonly where?: string
  readonly acceptShared?: boolean
  readonly skipExisting?: boolean
  readonly dryRun?: boolean
}

/** `hmac import`: decrypts the envelopes of another system and stores them. Nothing is stored unless all can be. */
export const hmacImport: CommandDefinition<ImportOptions, [file?: string]> = {
  usage: 'import [file]',
  changesState: true,
  summary: 'import secrets that another system encrypted',
  details:
    'From its table in the same database, or from a file or standard input with a JSON object per line: ' +
    '{"caller":…,"version":…,"envelope":"iv:tag:ciphertext"}. Each part is in base64, AES-256-GCM with the associated data ' +
    'caller:version. All rows are decrypted before one is stored, and running it twice is safe.',
  examples: [
    'countersign hmac import --from-table old_secrets --kek-file old.kek --dry-run',
    'countersign hmac import --kek-file old.kek sealed.jsonl',
  ],
  options: (command) =>
    addTableOptions(command)
      .option('--kek-file <file>', 'the key that encrypted them, base64 of 32 bytes (or COUNTERSIGN_HMAC_IMPORT_KEK)')
      .option('--from-table <name>', 'read the rows of this table, name or schema.name')
      .option('--columns <names>', 'its columns, if they are not found: caller=…,version=…,envelope=…')
      .option('--where <condition>', 'only these rows of it, in SQL')
      .option('--accept-shared', 'continue to accept the shared secret for the imported callers: see "hmac split"')
      .addOption(new Option('--skip-existing', 'skip versions that are stored with another secret'))
      .option('--dry-run', 'decrypt and compare, and store nothing'),
  async run(context, options, file) {
    const { fromTable, dryRun = false, acceptShared = false, json } = options
    if (fromTable !== undefined && file !== undefined) {
      throw usageError('--from-table and a file exclude each other: remove one of them')
    }
    if (fromTable === undefined && (file ?? '-') === '-' && options.kekFile === '-') {
      throw usageError('standard input cannot hold both the rows and the key: name a file for one of them')
    }
    const kek = await readKek(context, options.kekFile)
    const inFile =
      fromTable === undefined
        ? parseRows((await readInput(context, file ?? '-', 'the sealed secrets')).toString('utf8'))
        : undefined
    const backend = await postgresBackend(context, options)
    try {
      await requireReadable(backend)
      const old = inFile ?? (await readOldTable(context, backend, fromTable as string, options))
      const rows = old.map((row) => ({
        ...row,
        kek,
        ...(acceptShared && row.caller !== SHARED_CALLER ? { acceptsShared: true } : {}),
      }))
      const { fresh, existing } = await compare(context, backend, rows, options.skipExisting === true)
      if (!acceptShared) await tellShared(context, backend, fresh)
      if (!dryRun) await store(context, backend, fresh)
      const skipped = existing > 0 ? `, skipped ${existing} existing` : ''
      const text = dryRun
        ? `would import ${fresh.length}${skipped}: nothing was stored`
        : `imported ${fresh.length}${skipped}`
      context.output.result(
        json,
        { imported: dryRun ? 0 : fresh.length, existing, ...(dryRun ? { new: fresh.length } : {}) },
        text,
      )
    } finally {
      await backend.close()
    }
  },
}

/** Decrypts every row, and finds those that are not stored yet. @throws {CommandError} for the first that cannot be. */
async function compare(
  context: Context,
  backend: PostgresBackend,
  rows: readonly SealedSecret[],
  skipExisting: boolean,
): Promise<{ fresh: readonly SealedSecret[]; existing: number }> {
  const fresh: SealedSecret[] = []
  for (const row of rows) {
    context.signal.throwIfAborted()
    const place = `${row.caller}/${row.version}, and nothing was stored`
    try {
      const state = await backend.store.checkSealed(row)
      if (state === 'new') fresh.push(row)
      else if (state === 'different' && !skipExisting) {
        throw failedError(`${place}: it is already stored with another secret; --skip-existing skips such rows`)
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE') throw error
      throw failedError(`${place}: this key does not decrypt it: check --kek-file, and that the row was not altered`)
    }
  }
  return { fresh, existing: rows.length - fresh.length }
}

/** A row of its own ends the shared secret for a caller, and who signs with that one would be refused. */
async function tellShared(context: Context, backend: PostgresBackend, fresh: readonly SealedRow[]): Promise<void> {
  const stored = await backend.list()
  const has = (caller: string) => stored.some((secret) => secret.caller === caller)
  if (!has(SHARED_CALLER) && !fresh.some(({ caller }) => caller === SHARED_CALLER)) return
  const callers = new Set(
    fresh.map(({ caller }) => caller).filter((caller) => caller !== SHARED_CALLER && !has(caller)),
  )
  if (callers.size === 0) return
  context.output.note(
    `The shared secret is no longer accepted for ${[...callers].join(', ')}, which get their own secrets, unless --accept-shared is given.`,
  )
}

async function store(context: Context, backend: PostgresBackend, rows: readonly SealedSecret[]): Promise<void> {
  const progress = context.output.progress('Imported')
  try {
    for (const [index, row] of rows.entries()) {
      context.signal.throwIfAborted()
      await backend.store.importSealed(row)
      progress.report(index + 1, rows.length)
    }
  } finally {
    progress.done()
  }
}

async function readKek(context: Context, file: string | undefined): Promise<Buffer> {
  const what = 'the key-encryption key of the sealed secrets'
  const text = await readSecret(context, { file, variable: 'COUNTERSIGN_HMAC_IMPORT_KEK', what })
  if (text === undefined) throw usageError(`${what} is not given: use --kek-file or set COUNTERSIGN_HMAC_IMPORT_KEK`)
  const trimmed = text.trim()
  const kek = Buffer.from(trimmed, /^[0-9a-fA-F]{64}$/.test(trimmed) ? 'hex' : 'base64')
  if (kek.length !== 32) throw usageError(`${what} must be 32 bytes in base64 or hex`)
  return kek
}

/** Parses every row before one is stored. */
function parseRows(text: string): SealedRow[] {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]))
  if (lines.length === 0) throw usageError('there are no sealed secrets to import: give a JSON object per line')
  return lines.map(({ line, number }) => {
    const { caller, version, envelope } = parseJson(line)
    if (typeof caller === 'string' && Number.isSafeInteger(version) && typeof envelope === 'string') {
      return { caller, version: version as number, envelope }
    }
    throw usageError(`line ${number} must be {"caller":"…","version":1,"envelope":"iv:tag:ciphertext"}`)
  })
}

function parseJson(line: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(line)) as Record<string, unknown>
  } catch {
    return {}
  }
}
