import { type OptionRule, resolveOptions } from '@countersign/core/gate-kit'
import { nameRule } from '@countersign/postgres/store'

/** Where the secrets are. */
export interface SecretsTable {
  /** Default `internal_service_hmac_secrets`. */
  readonly table?: string | undefined
  /** Default: the first schema of the connection's `search_path` that has the table. */
  readonly schema?: string | undefined
}

/** The rules of {@link SecretsTable}. */
export const tableRules: { readonly table: OptionRule<string>; readonly schema: OptionRule<string | undefined> } = {
  table: nameRule.default('internal_service_hmac_secrets'),
  schema: nameRule,
}

/**
 * The table's name as SQL has it, quoted.
 *
 * @throws {OptionError}
 */
export function quotedTable(owner: string, place: SecretsTable): string {
  const { table, schema } = resolveOptions(owner, place, tableRules)
  return schema === undefined ? `"${table}"` : `"${schema}"."${table}"`
}

const TEXT = ['text', 'character varying']
const TIME = ['timestamp with time zone']
/** What each column must be; those of the first migration, and those that later ones add. */
const COLUMNS: Readonly<Record<string, { readonly types: readonly string[]; readonly isLater?: true }>> = {
  caller: { types: TEXT },
  key_version: { types: ['integer'] },
  ciphertext: { types: TEXT },
  kek_id: { types: TEXT },
  is_pending: { types: ['boolean'] },
  not_before: { types: TIME },
  created_at: { types: TIME },
  expires_at: { types: TIME },
  revoked_at: { types: TIME },
  accepts_shared: { types: ['boolean'], isLater: true },
}

interface Column {
  readonly name: string
  readonly type: string
  readonly is_needed: boolean
}

/** What is wrong with a table; nothing when `postgresSecrets` can use it. */
export interface TableState {
  /** False when there is none: then the migrations create it. */
  readonly exists: boolean
  /** What no migration changes, in words: it is another table of the same name. */
  readonly differences: readonly string[]
  /** Columns that migrations add. */
  readonly missing: readonly string[]
}

/**
 * Compares the table that stands in a database with the one that {@link postgresSecrets} needs. Changes nothing.
 *
 * @throws {OptionError} for a name that is none, and what the client throws.
 */
export async function inspectSecretsTable(
  client: { query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> },
  place: SecretsTable = {},
): Promise<TableState> {
  const name = quotedTable('inspectSecretsTable', place)
  const { rows } = await client.query(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type, attnotnull AND NOT atthasdef AS is_needed
     FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [name],
  )
  const found = new Map((rows as Column[]).map((column) => [column.name, column]))
  if (found.size === 0) return { exists: false, differences: [], missing: [] }
  const expected = Object.entries(COLUMNS)
  const lacking = expected.filter(([column]) => !found.has(column))
  const differences = [
    ...lacking.flatMap(([column, { isLater }]) => (isLater ? [] : [`it has no column "${column}"`])),
    ...expected.flatMap(([column, { types }]) => {
      const type = found.get(column)?.type
      return type === undefined || types.includes(type) ? [] : [`"${column}" is ${type}, not ${types[0]}`]
    }),
    ...[...found.values()].flatMap((column) =>
      column.is_needed && !Object.hasOwn(COLUMNS, column.name)
        ? [`it has an additional column "${column.name}", which must have a value`]
        : [],
    ),
  ]
  if (differences.length === 0 && !(await isKeyed(client, name))) {
    differences.push('(caller, key_version) is not its primary key')
  }
  return { exists: true, differences, missing: lacking.map(([column]) => column) }
}

async function isKeyed(client: Parameters<typeof inspectSecretsTable>[0], name: string): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_index WHERE indrelid = to_regclass($1) AND indisunique AND indpred IS NULL AND indnkeyatts = 2
     AND (SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
          WHERE attrelid = indrelid AND attnum = ANY(indkey)) = ARRAY['caller', 'key_version']`,
    [name],
  )
  return rows.length > 0
}
