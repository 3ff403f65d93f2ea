import type { Environment } from '@countersign/core'
import { readVariable, withDeadline } from '@countersign/core/gate-kit'
import { CommandError, connectionProblem, exitCodes, unavailableError, usageError } from '../errors.js'
import { loadOptional } from '../optional-package.js'

/** A connection to `DATABASE_URL`, in the shape that `postgresSecrets` takes. */
export interface Database {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  close(): Promise<void>
}

const CONNECT_MS = 5000
const QUERY_MS = 30_000
const CLOSE_MS = 1000

/** PostgreSQL's error codes (SQLSTATE) in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  '28P01': 'PostgreSQL refused the user or the password of DATABASE_URL: correct them',
  '28000':
    'PostgreSQL refused the user of DATABASE_URL: check pg_hba.conf, or whether TLS is required (?sslmode=require)',
  '3D000': 'the database that DATABASE_URL names does not exist: create it, or correct the name',
  '42P01':
    'the table of the secrets does not exist: run "countersign hmac migrate", or name it with --table and --schema',
  '42703': 'the table of the secrets lacks a column: run "countersign hmac migrate"',
  '42501':
    'the user of DATABASE_URL may not do this: grant SELECT, INSERT and UPDATE on the table of the secrets, and DELETE for "hmac forget"',
  '25006': 'this server is a read-only replica: point DATABASE_URL to the primary',
}

/** @throws {CommandError} when `DATABASE_URL` is not set or wrong, or the server cannot be reached. */
export async function openDatabase(env: Environment): Promise<Database> {
  const url = readVariable(env, 'DATABASE_URL')
  if (url === undefined || url === '') {
    throw usageError('DATABASE_URL is not set: set it to postgres://user:password@host/database, or DATABASE_URL_FILE')
  }
  checkUrl(url)
  const { default: pg } = await loadOptional('pg', () => import('pg'), 'PostgreSQL')
  // A pool, because it replaces a connection that is lost, and what was asked on that can be asked again.
  const pool = new pg.Pool({
    max: 1,
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    application_name: 'countersign',
  })
  // Without a listener a connection that breaks while idle would end the process. The next query reports it.
  pool.on('error', () => undefined)
  const close = (): Promise<void> =>
    withDeadline(pool.end(), CLOSE_MS, 'postgres').then(
      () => undefined,
      () => undefined,
    )
  try {
    const client = await pool.connect()
    client.release()
  } catch (error) {
    await close()
    throw explain(error)
  }
  return {
    query: (text, values) =>
      pool.query(text, values).catch((error: unknown) => {
        throw explain(error)
      }),
    close,
  }
}

function checkUrl(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'postgres:' || protocol === 'postgresql:') return
  throw usageError('DATABASE_URL is not a PostgreSQL URL: it must look like postgres://user:password@host/database')
}

/** The error in one line, without the URL, which holds the password. */
function explain(error: unknown): CommandError {
  const { code = '', message } = error as { code?: string; message?: string }
  const refusal = REFUSALS[code]
  if (refusal !== undefined) return new CommandError(refusal, exitCodes.usage, { cause: error })
  // A digit tells SQLSTATE from the system's codes, such as EPIPE.
  const isServerError = /^(?=.*\d)[0-9A-Z]{5}$/.test(code) && !/^(08|53|57)/.test(code)
  if (isServerError)
    return new CommandError(`PostgreSQL refused: ${message} (${code})`, exitCodes.failed, { cause: error })
  return unavailableError(
    `PostgreSQL cannot be reached (${connectionProblem(error)}): check the host and port of DATABASE_URL and that the server runs`,
    error,
  )
}
