/** The statements of one table. */
export interface Statements {
  readonly select: string
  readonly insert: string
  /** A row by its ciphertext, and its revocation: of an insert whose outcome is unknown. */
  readonly readOwn: string
  readonly revokeOwn: string
  readonly putInForce: string
  readonly endPrevious: string
  readonly rewrite: string
  readonly read: string
  readonly remove: string
  readonly restore: string
  readonly foreignKeks: string
  /** An update of one version; its first values are caller and version. */
  update(assignment: string): string
  readonly acceptShared: string
}

// Against the server's clock: machines whose clocks differ agree on what is valid.
const ms = (column: string) => `(extract(epoch from ${column} - now()) * 1000)::float8 AS ${column}`

/** The statements for a table, whose name is quoted. Run again, each one does and answers the same. */
export function statementsFor(table: string): Statements {
  const one = 'WHERE caller = $1 AND key_version = $2'
  return {
    select: `SELECT caller, key_version, ciphertext, kek_id, is_pending, accepts_shared, ${ms('not_before')},
 ${ms('created_at')}, ${ms('expires_at')}, ${ms('revoked_at')} FROM ${table}`,
    // It finds its own row by the ciphertext, which no other attempt has.
    insert: `INSERT INTO ${table} AS stored
 (caller, key_version, ciphertext, kek_id, is_pending, not_before, expires_at, accepts_shared)
 VALUES ($1, $2, $3, $4, $5, coalesce(to_timestamp($6::float8 / 1000), now()), to_timestamp($7::float8 / 1000), $8)
 ON CONFLICT (caller, key_version) DO UPDATE SET ciphertext = excluded.ciphertext
 WHERE stored.ciphertext = excluded.ciphertext RETURNING key_version, now()::text AS at`,
    readOwn: `SELECT key_version, created_at::text AS at FROM ${table} ${one} AND ciphertext = $3`,
    revokeOwn: `UPDATE ${table} SET revoked_at = coalesce(revoked_at, now()) ${one} AND ciphertext = $3 RETURNING key_version`,
    putInForce: `UPDATE ${table} SET is_pending = false ${one}
 AND (is_pending OR $3) AND revoked_at IS NULL AND (expires_at IS NULL OR now() < expires_at)
 RETURNING key_version, now()::text AS at`,
    endPrevious: `UPDATE ${table} SET expires_at =
 least(expires_at, $3::timestamptz + make_interval(secs => $4::float8)) WHERE caller = $1 AND key_version < $2`,
    // Only the row that was read: another process may have been first.
    rewrite: `UPDATE ${table} SET ciphertext = $3, kek_id = $4 ${one} AND ciphertext IN ($3, $5) RETURNING key_version`,
    read: `SELECT key_version, ciphertext, to_json(stored)::text AS row FROM ${table} AS stored
 WHERE caller = $1 AND key_version = coalesce($2, key_version) ORDER BY key_version`,
    remove: `DELETE FROM ${table} WHERE caller = $1 AND ciphertext = ANY($2)`,
    restore: `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1::json) ON CONFLICT DO NOTHING`,
    foreignKeks: `SELECT DISTINCT kek_id FROM ${table} WHERE caller || '/' || key_version = ANY($1) ORDER BY 1`,
    update: (assignment) =>
      `UPDATE ${table} SET ${assignment} ${one} RETURNING (extract(epoch from expires_at) * 1000)::float8 AS end`,
    acceptShared: `UPDATE ${table} SET accepts_shared = $2 WHERE caller = $1 RETURNING key_version`,
  }
}
