import { option, resolveOptions, type UsageStore } from '@countersign/core/gate-kit'
import { assertClient, nameRule, type PostgresClient, type PostgresStoreOptions, qualified } from './client.js'

/** Options of {@link postgresUsage}. */
export interface PostgresUsageOptions extends Pick<PostgresStoreOptions, 'schema'> {
  /** Which gate's: gates with different old keys have different names. Default `hmac`. */
  readonly name?: string | undefined
}

const rules = { schema: nameRule, name: option.string(/^[A-Za-z0-9._-]{1,64}$/).default('hmac') }

/**
 * Keeps in PostgreSQL who still uses an old key, for all processes and beyond a restart; the table is in the package's
 * `migrations`.
 *
 * @throws {OptionError}
 * @example
 * requireHmac({ secrets, audience, legacy, legacyUsage: postgresUsage(pool) })
 */
export function postgresUsage(client: PostgresClient, options: PostgresUsageOptions = {}): UsageStore {
  const { schema, name } = resolveOptions('postgresUsage', options, rules)
  assertClient(client, 'postgresUsage')
  const table = qualified(schema, 'countersign_legacy_usage')
  return {
    async add(uses) {
      await client.query(
        `INSERT INTO ${table} AS kept (gate, caller, accepted, refused, last_seen_at)
         SELECT $1, caller, accepted, refused, to_timestamp(seen / 1000)
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::float8[]) AS t (caller, accepted, refused, seen)
         ORDER BY caller
         ON CONFLICT (gate, caller) DO UPDATE SET accepted = kept.accepted + excluded.accepted,
          refused = kept.refused + excluded.refused, last_seen_at = greatest(kept.last_seen_at, excluded.last_seen_at)`,
        [
          name,
          uses.map(({ caller }) => caller),
          uses.map(({ accepted }) => accepted),
          uses.map(({ refused }) => refused),
          uses.map(({ lastSeenAt }) => lastSeenAt),
        ],
      )
    },
    async read() {
      const { rows } = await client.query(
        `SELECT caller, accepted::float8 AS accepted, refused::float8 AS refused,
         round(extract(epoch from last_seen_at) * 1000)::float8 AS "lastSeenAt"
         FROM ${table} WHERE gate = $1 ORDER BY caller COLLATE "C"`,
        [name],
      )
      // An app may have told pg to parse numbers in another way.
      return (rows as Awaited<ReturnType<UsageStore['read']>>).map(({ caller, accepted, refused, lastSeenAt }) => ({
        caller,
        accepted: Number(accepted),
        refused: Number(refused),
        lastSeenAt: Number(lastSeenAt),
      }))
    },
  }
}
