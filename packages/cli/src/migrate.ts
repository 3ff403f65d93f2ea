import { openDatabase } from './connect/postgres.js'
import type { Context } from './context.js'
import { tableOf } from './hmac/postgres-backend.js'
import { requireOwnTable } from './hmac/postgres-commands.js'
import { allMigrations } from './migrations.js'

/** The options of `migrate`. */
export interface MigrateRequest {
  readonly schema?: string
  readonly print?: boolean
  readonly json?: boolean
}

/**
 * `migrate`: runs, or prints, the SQL files of all packages with stores in PostgreSQL.
 *
 * @throws {CommandError} when another table has the name of the secrets'; nothing is done then.
 */
export async function migrate({ env, output }: Context, { schema, print, json }: MigrateRequest): Promise<undefined> {
  const place = tableOf(env, schema === undefined ? {} : { schema })
  const all = allMigrations(place, schema)
  if (print) {
    output.result(
      json,
      all,
      all.map(({ sql }) => sql.trimEnd()),
    )
    return
  }
  const database = await openDatabase(env)
  try {
    await requireOwnTable(database, place)
    // One text is one transaction. Two processes that start at once run it one after the other.
    const lock = "SELECT pg_advisory_xact_lock(hashtextextended('countersign migrate', 0));\n"
    await database.query(lock + all.map(({ sql }) => sql).join('\n'))
    const names = all.map(({ name }) => name)
    output.result(
      json,
      { migrations: names },
      names.map((name) => `ran ${name}`),
    )
  } finally {
    await database.close()
  }
}
