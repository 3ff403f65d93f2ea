import { type OptionRule, option, type RuleBuilder, resolveOptions } from '@countersign/core/gate-kit'

/** Any client with `query(text, values)`: a `pg` Pool or Client, PGlite. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** The options that every PostgreSQL store has. */
export interface PostgresStoreOptions {
  /** Keeps apart what stores on the same tables hold. Default `cs`. */
  readonly namespace?: string | undefined
  /** The schema that `countersign migrate --schema` named. Default: the first one of the connection's `search_path`. */
  readonly schema?: string | undefined
  /** Milliseconds that one operation may take, waiting for a connection included. Default 500. */
  readonly commandTimeoutMs?: number | undefined
}

/** What PostgreSQL keeps of a name; a longer one is cut. */
const NAME = /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/

/** The rule of a name of a schema or a table. */
export const nameRule: RuleBuilder<string> = option.string(NAME, 'a name of letters, digits, _ and $, at most 63 long')

/** The rules of {@link PostgresStoreOptions}; spread them into a store's own. */
export const postgresStoreOptionRules: {
  readonly namespace: OptionRule<string>
  readonly schema: OptionRule<string | undefined>
  readonly commandTimeoutMs: OptionRule<number>
} = {
  namespace: option.string(/^[A-Za-z0-9._:-]{1,64}$/, '1 to 64 of the characters A-Z a-z 0-9 . _ : -').default('cs'),
  schema: nameRule,
  commandTimeoutMs: option.integer(1, 60_000).default(500),
}

const clientRule = {
  // A URL that is given in its place has a password.
  client: option
    .port<PostgresClient>('a client with query(text, values), such as a Pool of pg', 'query')
    .secret()
    .required(),
}

/**
 * For what takes a client.
 *
 * @throws {OptionError} when it is not one.
 */
export function assertClient(client: PostgresClient, owner: string): void {
  resolveOptions(owner, { client }, clientRule)
}

/** A table's or function's name as SQL has it. */
export function qualified(schema: string | undefined, name: string): string {
  return schema === undefined ? name : `"${schema}".${name}`
}
