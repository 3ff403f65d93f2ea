import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../connect/postgres.js'
import type { Context } from '../context.js'

/** The SQL that @countersign/hmac ships, in its order. */
function migrations(): { name: string; sql: string }[] {
  const folder = new URL('../migrations/', import.meta.resolve('@countersign/hmac'))
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }))
}

/** `hmac migrate`: runs, or prints, the SQL of @countersign/hmac. */
export async function migrate(
  { env, output }: Context,
  options: { readonly print?: boolean; readonly json?: boolean },
): Promise<undefined> {
  const all = migrations()
  if (options.print) {
    if (options.json) output.json(all)
    else for (const { sql } of all) output.line(sql.trimEnd())
    return
  }
  const database = await openDatabase(env)
  try {
    // Each of them may run again: they create what is not there.
    for (const { sql } of all) await database.query(sql)
  } finally {
    await database.close()
  }
  if (options.json) output.json({ migrations: all.map(({ name }) => name) })
  else for (const { name } of all) output.line(`ran ${name}`)
}
