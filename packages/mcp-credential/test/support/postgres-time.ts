import type { PostgresClient } from '@countersign/postgres'

const TABLES = ['credentials', 'ends', 'threads', 'keys'].map((name) => `countersign_mcp_${name}`)

export async function emptyPostgres(client: PostgresClient): Promise<void> {
  await client.query(`TRUNCATE ${TABLES.join(', ')}, countersign_answers`)
}

// Time cannot be moved in a server; but what is stored can be moved back, which is the same.
const SHIFTS = [
  `UPDATE countersign_mcp_credentials SET issued_at = issued_at - $1, expires_at = expires_at - $1, idle_at = idle_at - $1,
   absolute_at = absolute_at - $1, usable_until = usable_until - $1, gone_at = gone_at - $1`,
  `UPDATE countersign_mcp_threads SET alive_from = alive_from - $1, alive_until = alive_until - $1, touched_at = touched_at - $1,
   retired_until = retired_until - $1, gone_at = gone_at - $1`,
  'UPDATE countersign_mcp_ends SET kept_from = kept_from - $1',
  'UPDATE countersign_answers SET gone_at = gone_at - $1',
]

/** Lets time pass for everything that is stored, and sweeps. */
export async function passInPostgres(client: PostgresClient, ms: number): Promise<void> {
  for (const shift of SHIFTS) await client.query(shift, [ms])
  await client.query('SELECT countersign_mcp_sweep(1000), countersign_answers_sweep(1000)')
}

export async function recordsInPostgres(client: PostgresClient): Promise<number> {
  const { rows } = await client.query('SELECT count(*)::int AS count FROM countersign_mcp_credentials')
  return (rows[0] as { count: number }).count
}
