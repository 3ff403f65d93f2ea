import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { quotedTable, type SecretsTable } from '@countersign/hmac/postgres'

/** The tables' own names, as the migrations have them. */
const SECRETS = 'internal_service_hmac_secrets'
const USAGE = 'countersign_legacy_usage'

/** An SQL file of a package. It can run again: it creates what does not exist. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/** The files of a package, by where its main entry is, in their order. */
function filesOf(entry: string): readonly Migration[] {
  const folder = new URL('../migrations/', entry)
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }))
}

/** Those of @countersign/hmac, as they are where the tables have their own names. */
export function secretMigrations(place: SecretsTable): readonly Migration[] {
  const isNamed = place.table !== undefined || place.schema !== undefined
  const name = (table: string, own = table) => (isNamed ? quotedTable('migrate', { ...place, table: own }) : table)
  return filesOf(import.meta.resolve('@countersign/hmac')).map((file) => ({
    ...file,
    sql: file.sql.replaceAll(SECRETS, () => name(SECRETS, place.table)).replaceAll(USAGE, () => name(USAGE)),
  }))
}

/** The table of legacy usage as SQL has it. */
export function usageTable(place: SecretsTable): string {
  return quotedTable('migrate', { ...place, table: USAGE })
}

/**
 * All migrations, in the order in which they run: the first package has what the others call. The stores' tables are in
 * `schema`, wherever the secrets' is.
 */
export function allMigrations(place: SecretsTable, schema: string | undefined): readonly Migration[] {
  const stores: Readonly<Record<string, string>> = {
    postgres: import.meta.resolve('@countersign/postgres'),
    'mcp-credential': import.meta.resolve('@countersign/mcp-credential'),
    'settings-session': import.meta.resolve('@countersign/settings-session'),
  }
  const ofStores = Object.entries(stores).flatMap(([folder, entry]) =>
    filesOf(entry).map(({ name, sql }) => ({ name: `${folder}/${name}`, sql: inSchema(sql, schema) })),
  )
  return [...ofStores, ...secretMigrations(place).map(({ name, sql }) => ({ name: `hmac/${name}`, sql }))]
}

/** An index lies where its table does, and is named without a schema. */
function inSchema(sql: string, schema: string | undefined): string {
  if (schema === undefined) return sql
  const prefix = quotedTable('migrate', { schema, table: 'x' }).replace(/"x"$/, '')
  return sql.replace(/(INDEX IF NOT EXISTS )?\b(countersign_\w+)/g, (_, index: string | undefined, name: string) =>
    index === undefined ? prefix + name : index + name,
  )
}
