import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { JsonOption } from '../command.js'
import { openDatabase } from '../connect/postgres.js'
import type { Context } from '../context.js'
import { failedError, usageError } from '../errors.js'
import { readInput, readSecret } from '../input.js'
import { postgresBackend, requireReadable, unreadableText } from './postgres-backend.js'

/** `hmac migrate`: runs, or prints, the SQL files of @countersign/hmac. */
export async function migrate(
  { env, output }: Context,
  options: { readonly print?: boolean } & JsonOption,
): Promise<undefined> {
  const folder = new URL('../migrations/', import.meta.resolve('@countersign/hmac'))
  const all = readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }))
  if (options.print) {
    if (options.json) output.json(all)
    else for (const { sql } of all) output.line(sql.trimEnd())
    return
  }
  const database = await openDatabase(env)
  try {
    // They can run again: they create what does not exist.
    for (const { sql } of all) await database.query(sql)
  } finally {
    await database.close()
  }
  if (options.json) output.json({ migrations: all.map(({ name }) => name) })
  else for (const { name } of all) output.line(`ran ${name}`)
}

/** `hmac reencrypt`: encrypts every row with the first key of the ring. Throws when some cannot be decrypted. */
export async function reencrypt(context: Context, options: JsonOption): Promise<undefined> {
  const backend = await postgresBackend(context)
  try {
    const reencrypted = await backend.store.reencrypt()
    const foreign = await backend.foreignKeks()
    if (options.json) context.output.json({ reencrypted, unreadableKeks: foreign })
    else context.output.line(`re-encrypted ${reencrypted}`)
    if (foreign.length > 0) throw usageError(unreadableText(foreign))
  } finally {
    await backend.close()
  }
}

/** The options of `hmac import`. */
export interface ImportOptions {
  readonly kekFile?: string
  readonly skipExisting?: boolean
}

interface SealedRow {
  readonly caller: string
  readonly version: number
  readonly envelope: string
}

/** `hmac import`: decrypts the envelopes of another system and stores them. Stops at the first that cannot be decrypted. */
export async function importSealed(
  context: Context,
  options: ImportOptions & JsonOption,
  file = '-',
): Promise<undefined> {
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
        if (code !== 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS' || !options.skipExisting) throw explain(error, row, imported)
        existing += 1
      }
      progress.report(imported + existing, rows.length)
    }
  } finally {
    progress.done()
    await backend.close()
  }
  if (options.json) context.output.json({ imported, existing })
  else context.output.line(`imported ${imported}${existing > 0 ? `, skipped ${existing} that exist` : ''}`)
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
