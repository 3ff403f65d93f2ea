import { randomBytes } from 'node:crypto'
import { resolveOptions } from '@countersign/core/gate-kit'
import {
  assertClient,
  type PostgresClient,
  type PostgresStoreOptions,
  postgresStoreOptionRules,
  qualified,
} from './client.js'
import { type Caller, connectionOf } from './connection.js'

/** Deadlines that the answer to a change may take beyond its own. */
const PATIENCE = 2

/** How a change is called. */
export interface ChangeTerms {
  /** The same attempt, asked again, gets what the first one got. Default: one of its own. */
  readonly attempt?: string | undefined
  /** Called before a change fails that may have been made. */
  readonly onUnknown?: ((answer?: Promise<unknown>) => void) | undefined
}

/** Calls the functions of one store. */
export interface PostgresRunner {
  readonly namespace: string
  /**
   * Calls a function that may run again: `name(namespace, deadline, what)`.
   *
   * @throws {UnavailableError} when PostgreSQL cannot be asked in time: never "not found".
   */
  run(name: string, what: object, onUnknown?: ChangeTerms['onUnknown']): Promise<unknown>
  /**
   * Calls a function that changes state: `name(namespace, deadline, attempt, what)`. Its answer, not the change, may take two
   * deadlines more. Nobody waits for a change as for a decision, and a change whose answer is lost was done and nobody knows.
   */
  change(name: string, what: object, terms?: ChangeTerms): Promise<unknown>
  /** Settles when the server answers. */
  ready(): Promise<void>
}

/**
 * What a PostgreSQL store calls its functions with. `owner` is the function that makes the store, for wrong options; `dependency` is
 * what its `UnavailableError`s name; `sweep` the function of the database that deletes what has expired.
 *
 * @throws {OptionError}
 */
export function createRunner(
  client: PostgresClient,
  owner: string,
  dependency: string,
  sweep: string,
  options: PostgresStoreOptions = {},
): PostgresRunner {
  assertClient(client, owner)
  const { namespace, schema, commandTimeoutMs } = resolveOptions(owner, options, postgresStoreOptionRules)
  const connection = connectionOf(client, schema)
  connection.sweeper.add(sweep)
  const caller: Caller = { dependency, commandTimeoutMs }
  const [runs, changes] = [textsFor(schema, '$3::jsonb'), textsFor(schema, '$3, $4::jsonb')]
  return {
    namespace,
    run(name, what, onUnknown) {
      const values = [JSON.stringify(what)]
      return connection.call(caller, { name, text: runs(name), namespace, values, patienceMs: 0, onUnknown })
    },
    change(name, what, { attempt = newAttempt(), onUnknown } = {}) {
      connection.sweeper.add('countersign_answers_sweep')
      const values = [attempt, JSON.stringify(what)]
      const patienceMs = PATIENCE * commandTimeoutMs
      return connection.call(caller, { name, text: changes(name), namespace, values, patienceMs, onUnknown })
    },
    ready: () => connection.ready(caller),
  }
}

/** A new name for an attempt. */
export const newAttempt = (): string => randomBytes(12).toString('base64url')

/** The statements of a store, each made once. */
function textsFor(schema: string | undefined, what: string): (name: string) => string {
  const texts = new Map<string, string>()
  const now = qualified(schema, 'countersign_now()')
  return (name) => {
    let text = texts.get(name)
    if (text === undefined) {
      text = `SELECT ${qualified(schema, name)}($1, $2::bigint, ${what})::text AS answer, ${now}::float8 AS at`
      texts.set(name, text)
    }
    return text
  }
}
