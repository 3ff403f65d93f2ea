import { failedError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { readInput, readSecret } from '../secret-input.js'
import { postgresBackend, requireReadable } from './postgres-backend.js'

/** The options of `hmac import`. */
export interface ImportOptions {
  readonly kekFile?: string
  readonly skipExisting?: boolean
  readonly json?: boolean
}

interface SealedRow {
  readonly caller: string
  readonly version: number
  readonly envelope: string
}

/**
 * `hmac import`: opens what another system sealed and seals it with the ring. Stops at the first row that does not
 * open.
 */
export async function importSealed(context: Context, options: ImportOptions, file = '-'): Promise<undefined> {
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
  else context.output.line(`imported ${imported}${existing > 0 ? `, passed over ${existing} that were stored` : ''}`)
}

function explain(error: unknown, { caller, version }: SealedRow, imported: number): unknown {
  const { code } = error as { code?: string }
  const place = `${caller}/${version}, after ${imported} that were imported`
  if (code === 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS') {
    return failedError(`${place}: it is stored already; --skip-existing passes over such`)
  }
  if (code === 'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE') {
    return failedError(`${place}: it does not open with this key: check --kek-file, and that the row was not altered`)
  }
  return error
}

async function readKek(context: Context, file: string | undefined): Promise<Buffer> {
  const what = 'the key that the secrets are sealed with'
  const text = await readSecret(context, { file, variable: 'COUNTERSIGN_HMAC_IMPORT_KEK', what })
  if (text === undefined) throw usageError(`${what} is not given: use --kek-file or set COUNTERSIGN_HMAC_IMPORT_KEK`)
  const trimmed = text.trim()
  const kek = Buffer.from(trimmed, /^[0-9a-fA-F]{64}$/.test(trimmed) ? 'hex' : 'base64')
  if (kek.length !== 32) throw usageError(`${what} must be 32 bytes in base64 or hex`)
  return kek
}

/** All rows are read before one is stored: a typing error in the last line stores nothing. */
function parseRows(text: string): SealedRow[] {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]))
  if (lines.length === 0) throw usageError('there are no sealed secrets to import: give a JSON object per line')
  return lines.map(({ line, number }) => {
    const row = parseJson(line)
    const { caller, version, envelope } = row
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
