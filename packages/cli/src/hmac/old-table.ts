import type { SealedSecret } from '@countersign/hmac/postgres'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import type { PostgresBackend } from './postgres-backend.js'

/** A row of another system. */
export type SealedRow = Omit<SealedSecret, 'kek'>

/** How the rows of another system's table are found. */
export interface OldTableOptions {
  /** `caller=…,version=…,envelope=…` */
  readonly columns?: string
  /** A condition in SQL. */
  readonly where?: string
}

type Part = 'caller' | 'version' | 'envelope'

/** Names that the columns have in the field. The envelope is found by its form. */
const NAMES: Readonly<Record<Exclude<Part, 'envelope'>, readonly string[]>> = {
  caller: ['caller', 'caller_id', 'service', 'service_name', 'client'],
  version: ['key_version', 'version'],
}
const NOT_BEFORE = ['not_before', 'valid_from']
const ENDS = ['expires_at', 'valid_until', 'revoked_at', 'retired_at', 'deleted_at', 'disabled_at']
const ENVELOPE = /^[A-Za-z0-9+/]+={0,2}:[A-Za-z0-9+/]+={0,2}:[A-Za-z0-9+/]+={0,2}$/

interface Column {
  readonly name: string
  readonly type: string
}

/**
 * Reads the sealed rows of another system's table; those that have ended are left out, and the others keep their dates.
 * What is not understood is named: it may say that a row is dead.
 *
 * @throws {CommandError}
 */
export async function readOldTable(
  { output }: Pick<Context, 'output'>,
  { query }: PostgresBackend,
  name: string,
  { columns: given, where }: OldTableOptions,
): Promise<readonly SealedRow[]> {
  const table = quoted(name)
  const columns = (
    await query(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [table],
    )
  ).rows as Column[]
  if (columns.length === 0) throw usageError(`the table ${table} does not exist: correct --from-table`)
  const condition = where === undefined ? '' : `WHERE (${where})`
  const { rows } = (await query(`SELECT * FROM ${table} ${condition}`)) as { rows: Record<string, unknown>[] }
  const parts = findParts(table, columns, rows, parseColumns(given))
  // A moment that is a number or a text is not understood: taken for none, it would bring a dead row back to life.
  const moments = columns.filter(({ type }) => /^(?:timestamp|date$)/.test(type)).map((column) => column.name)
  const dates = [...NOT_BEFORE, ...ENDS].filter((name) => moments.includes(name))
  const known = [...Object.values(parts), ...dates]
  const unread = columns.filter((column) => !known.includes(column.name)).map((column) => column.name)
  if (unread.length > 0) {
    output.note(
      `Not read: ${unread.join(', ')}. If one of them says that a row is no longer valid, exclude such rows with --where.`,
    )
  }
  const now = Date.now()
  const live = rows.filter((row) => !ENDS.some((column) => momentOf(row[column]) <= now))
  if (live.length < rows.length) output.note(`Skipped: ${rows.length - live.length} expired.`)
  return live.map((row) => toSealed(table, row, parts))
}

function toSealed(table: string, row: Record<string, unknown>, parts: Readonly<Record<Part, string>>): SealedRow {
  const caller = row[parts.caller]
  const version = Number(row[parts.version])
  if (typeof caller !== 'string' || !Number.isSafeInteger(version)) {
    throw usageError(`${table} has a row without a caller or a version: exclude it with --where`)
  }
  const notBefore = Math.max(...NOT_BEFORE.map((column) => momentOf(row[column], 0)))
  const expiresAt = Math.min(...ENDS.map((column) => momentOf(row[column])))
  return {
    caller,
    version,
    envelope: String(row[parts.envelope]),
    ...(notBefore > 0 ? { notBefore } : {}),
    ...(expiresAt < Number.POSITIVE_INFINITY ? { expiresAt } : {}),
  }
}

/** In ms since the epoch; a column that is not there, or holds nothing, is never. */
function momentOf(value: unknown, never = Number.POSITIVE_INFINITY): number {
  return value instanceof Date ? value.getTime() : never
}

function findParts(
  table: string,
  columns: readonly Column[],
  rows: readonly Record<string, unknown>[],
  given: Partial<Record<Part, string>>,
): Record<Part, string> {
  const has = (name: string) => columns.some((column) => column.name === name)
  const find = (part: Part, candidates: readonly string[]): string => {
    const name = given[part]
    if (name !== undefined && !has(name)) throw usageError(`${table} has no column "${name}": correct --columns`)
    const found = name === undefined ? candidates : [name]
    if (found.length === 1 && found[0] !== undefined) return found[0]
    throw usageError(`cannot tell which column of ${table} is the ${part}: name it with --columns ${part}=…`)
  }
  const first = (names: readonly string[]) => names.filter(has).slice(0, 1)
  const sealed = columns
    .map((column) => column.name)
    .filter((name) => rows.length > 0 && rows.every((row) => ENVELOPE.test(String(row[name]))))
  if (rows.length === 0) throw usageError(`${table} has no such rows`)
  return {
    caller: find('caller', first(NAMES.caller)),
    version: find('version', first(NAMES.version)),
    envelope: find('envelope', sealed),
  }
}

function parseColumns(text: string | undefined): Partial<Record<Part, string>> {
  if (text === undefined) return {}
  const entries = text.split(',').map((entry) => entry.trim().split('='))
  const isPart = (name = '') => ['caller', 'version', 'envelope'].includes(name)
  if (entries.every(([part, column, ...rest]) => isPart(part) && column && rest.length === 0)) {
    return Object.fromEntries(entries) as Partial<Record<Part, string>>
  }
  throw usageError('--columns must be like caller=service,version=key_version,envelope=secret_enc')
}

function quoted(name: string): string {
  const parts = name.split('.')
  if (parts.length <= 2 && parts.every((part) => /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(part))) {
    return parts.map((part) => `"${part}"`).join('.')
  }
  throw usageError('--from-table must be the name of a table, or schema.name')
}
