import { inspectSecretsTable, quotedTable, type SecretsTable, type TableState } from '@countersign/hmac/postgres'
import type { CommandDefinition } from '../command.js'
import { type Database, openDatabase } from '../connect/postgres.js'
import { usageError } from '../errors.js'
import { secretMigrations, usageTable } from '../migrations.js'
import { postgresBackend, tableOf, unreadableText } from './postgres-backend.js'
import { addTableOptions } from './with-secrets.js'

interface MigrateOptions extends SecretsTable {
  readonly print?: boolean
}

/** `hmac migrate`: runs, or prints, the SQL files of @countersign/hmac. Exit code 2 when another table has the name. */
export const hmacMigrate: CommandDefinition<MigrateOptions> = {
  usage: 'migrate',
  summary: 'create the table of secrets in PostgreSQL',
  details: 'It adds what is missing. Another table of that name is left unchanged, and its differences are named.',
  examples: ['countersign hmac migrate', 'countersign hmac migrate --schema auth --table hmac_secrets'],
  options: (command) => addTableOptions(command).option('--print', 'print the SQL instead of running it'),
  async run({ env, output }, options) {
    const place = tableOf(env, options)
    const usage = usageTable(place)
    const all = secretMigrations(place)
    if (options.print) {
      const lines = all.map(({ sql }) => sql.trimEnd())
      output.result(options.json, all, lines)
      return
    }
    const database = await openDatabase(env)
    try {
      const { exists, missing } = await requireOwnTable(database, place)
      const { rows } = await database.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [usage])
      const isDone = exists && missing.length === 0 && rows.length > 0
      // They can run again: they create what does not exist.
      if (!isDone) for (const { sql } of all) await database.query(sql)
      await requireOwnTable(database, place)
      const names = isDone ? [] : all.map(({ name }) => name)
      const lines = isDone ? 'the tables are up to date: nothing was done' : names.map((name) => `ran ${name}`)
      output.result(options.json, { migrations: names }, lines)
    } finally {
      await database.close()
    }
  },
}

/** @throws {CommandError} that names what is different, when the table is not the one of the migrations. */
export async function requireOwnTable(database: Database, place: SecretsTable): Promise<TableState> {
  const state = await inspectSecretsTable(database, place)
  if (state.differences.length === 0) return state
  throw usageError(
    `${quotedTable('hmac migrate', place)} is a different table: ${state.differences.join('; ')}. Nothing was done. Choose another ` +
      'name with --table or COUNTERSIGN_HMAC_TABLE, and import the secrets of this table with "hmac import --from-table"',
  )
}

/** `hmac reencrypt`: encrypts every row with the first key of the ring. Throws when some cannot be decrypted. */
export const hmacReencrypt: CommandDefinition<SecretsTable> = {
  usage: 'reencrypt',
  changesState: true,
  summary: 'encrypt every stored secret with the first key-encryption key of the ring',
  details: 'Put the new key first in COUNTERSIGN_HMAC_KEKS everywhere, re-encrypt, then remove the old key.',
  examples: ['COUNTERSIGN_HMAC_KEKS=k2:…,k1:… countersign hmac reencrypt'],
  options: addTableOptions,
  async run(context, options) {
    const backend = await postgresBackend(context, options)
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
