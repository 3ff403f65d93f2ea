import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CommandDefinition } from '../command.js'
import { openDatabase } from '../connect/postgres.js'
import type { Context } from '../context.js'
import { failedError, usageError } from '../errors.js'
import { readInput, readSecret } from '../input.js'
import { postgresBackend, requireReadable, unreadableText } from './postgres-backend.js'

/** `hmac migrate`: runs, or prints, the SQL files of @countersign/hmac. */
export const hmacMigrate: CommandDefinition<{ readonly print?: boolean }> = {
  usage: 'migrate',
  summary: 'create the table of secrets in PostgreSQL',
  details: 'What exists is left unchanged.',
  examples: ['countersign hmac migrate'],
  options: (command) => command.option('--print', 'print the SQL instead of running it'),
  async run({ env, output }, options) {
    const folder = new URL('../migrations/', import.meta.resolve('@countersign/hmac'))
    const all = readdirSync(fileURLToPath(folder))
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }))
    if (options.print) {
      const lines = all.map(({ sql }) => sql.trimEnd())
      output.result(options.json, all, lines)
      return
    }
    const database = await openDatabase(env)
    try {
      // They can run again: they create what does not exist.
      for (const { sql } of all) await database.query(sql)
    } finally {
      await database.close()
    }
    const names = all.map(({ name }) => name)
    const lines = names.map((name) => `ran ${name}`)
    output.result(options.json, { migrations: names }, lines)
  },
}

/** `hmac reencrypt`: encrypts every row with the first key of the ring. Throws when some cannot be decrypted. */
export const hmacReencrypt: CommandDefinition = {
  usage: 'reencrypt',
  changesState: true,
  summary: 'encrypt every stored secret with the first key-encryption key of the ring',
  details: 'Put the new key first in COUNTERSIGN_HMAC_KEKS everywhere, re-encrypt, then remove the old key.',
  examples: ['COUNTERSIGN_HMAC_KEKS=k2:…,k1:… countersign hmac reencrypt'],
  async run(context, options) {
    const backend = await postgresBackend(context)
    try {
      const reencrypted = await backend.store.reencrypt()
      const foreign = await backend.foreignKeks()
      context.output.result(options.json, { reencrypted, unreadableKeks: foreign }, `re-encrypted ${reencrypted}`)
      if (foreign.length > 0) throw usageError(unreadableText(foreign))
    } finally {
      await backend.close()
    }
  },
}

interface ImportOptions {
  readonly kekFile?: string
  readonly skipExisting?: boolean
}

interface SealedRow {
  readonly caller: string
  readonly version: number
  readonly envelope: string
}

/** `hmac import`: decrypts the envelopes of another system and stores them. Stops at the first that cannot be decrypted. */
export const hmacImport: CommandDefinition<ImportOptions, [file?: string]> = {
  usage: 'import [file]',
  changesState: true,
  summary: 'import secrets that another system encrypted',
  details:
    'The file, or standard input, holds a JSON object per line: {"caller":…,"version":…,"envelope":"iv:tag:ciphertext"}, ' +
    'each part in base64, AES-256-GCM with the associated data caller:version.',
  examples: ['countersign hmac import --kek-file old.kek sealed.jsonl'],
  options: (command) =>
    command
      .option('--kek-file <file>', 'the key that encrypted them, base64 of 32 bytes (or COUNTERSIGN_HMAC_IMPORT_KEK)')
      .option('--skip-existing', 'skip versions that are stored already'),
  async run(context, options, file = '-') {
    if (file === '-' && options.kekFile === '-') {
      throw usageError('standard input cannot hold both the rows and the key: name a file for one of them')
    }
    const kek = await readKek(context, options.kekFile)
    const rows = parseRows((await readInput(context, file, 'the sealed secrets')).toString('utf8'))
    const backend = await postgresBackend(context)
    const progress = context.output.progress('Imported')
    let imported = 0
    let existing = 0
    try {
      await requireReadable(backend)
      for (const row of rows) {
        context.signal.throwIfAborted()
        try {
          await backend.store.importSealed({ ...row, kek })
          imported += 1
        } catch (error) {
          const { code } = error as { code?: string }
          if (code !== 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS' || !options.skipExisting)
            throw explain(error, row, imported)
          existing += 1
        }
        progress.report(imported + existing, rows.length)
      }
    } finally {
      progress.done()
      await backend.close()
    }
    const text = `imported ${imported}${existing > 0 ? `, skipped ${existing} that exist` : ''}`
    context.output.result(options.json, { imported, existing }, text)
  },
}

function explain(error: unknown, { caller, version }: SealedRow, imported: number): unknown {
  const { code } = error as { code?: string }
  const place = `${caller}/${version}, after ${imported} imported rows`
  if (code === 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS') {
    return failedError(`${place}: it is stored already; --skip-existing skips such rows`)
  }
  if (code === 'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE') {
    return failedError(`${place}: this key does not decrypt it: check --kek-file, and that the row was not altered`)
  }
  return error
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
