import { createSecretKey } from 'node:crypto'
import { type Audit, type Clock, type Environment, OptionError } from '@countersign/core'
import { option, readVariable, resolveOptions } from '@countersign/core/gate-kit'
import { secretKey } from '../secret-key.js'
import { forgetCaller } from './cache.js'
import {
  assertMoment,
  codedError,
  grantChange,
  planRotation,
  reportChange,
  resolveNewSecret,
  rotationConflict,
  storeOptionRules,
  UNRECORDED,
  versionExists,
} from './changes.js'
import type { HmacSecretStore, HmacSecretVersion, NewHmacSecret, RotatedSecret, RotateOptions } from './port.js'
import { adviseOnPool } from './postgres/advise-on-pool.js'
import { ask, askUntilKnown } from './postgres/outcome.js'
import { open, openEnvelope, parseKekRing, type SealedPlace, seal } from './postgres/sealing.js'

/** Any client with `query(text, values)`: a `pg` Pool or Client, PGlite. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Options of {@link postgresSecrets}. */
export interface PostgresSecretsOptions {
  /** The ring of key-encryption keys: `id:base64` entries with commas between, the one that seals first. */
  readonly keks: string
  /** Bound into what is sealed. Default `cs`. */
  readonly namespace?: string | undefined
  /** Seconds that opened secrets may be kept, 1 to 30. Default 30. */
  readonly cacheSeconds?: number | undefined
  readonly audit?: Audit | undefined
  readonly clock?: Clock | undefined
}

/** Secrets in PostgreSQL. */
export interface PostgresSecretStore extends HmacSecretStore {
  /** Re-encrypts every row that another key of the ring sealed; returns how many. Rows that do not open stay. */
  reencrypt(): Promise<number>
  /** Takes over `b64(iv):b64(tag):b64(ciphertext)` that was sealed with `kek` (32 bytes) and the data `caller:version`. */
  importSealed(row: SealedSecret): Promise<void>
}

/** A secret in the envelope of the field. */
export interface SealedSecret extends Omit<NewHmacSecret, 'secret'> {
  /** `b64(iv):b64(tag):b64(ciphertext)` */
  readonly envelope: string
  /** 32 bytes. */
  readonly kek: Uint8Array
}

const rules = {
  keks: option.string().secret().required(),
  namespace: option.string(/^[A-Za-z0-9._:-]{1,64}$/).default('cs'),
  cacheSeconds: option.seconds(1, 30).default(30),
  ...storeOptionRules,
}

const clientRule = {
  // A URL that is given in its place has a password.
  client: option
    .port<PostgresClient>('a client with query(text, values), such as a Pool of pg', 'query')
    .secret()
    .required(),
}

/**
 * The options of {@link postgresSecrets} that the environment has: the ring, in `COUNTERSIGN_HMAC_KEKS` or the variable
 * that `names.keks` names, or in the file that `<NAME>_FILE` names.
 *
 * @throws {OptionError} when it is not set, or is not a ring.
 */
export function postgresSecretsOptionsFromEnv(
  env: Environment,
  { names = {} }: { readonly names?: { readonly keks?: string | undefined } | undefined } = {},
): Pick<PostgresSecretsOptions, 'keks'> {
  const name = names.keks ?? 'COUNTERSIGN_HMAC_KEKS'
  const keks = readVariable(env, name)
  if (keks === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      name,
      `${name} must hold the key-encryption keys: "id:base64", …`,
    )
  }
  parseKekRing(keks)
  return { keks }
}

/** Times are ms from the server's now. */
interface Row {
  readonly caller: string
  readonly key_version: number
  readonly ciphertext: string
  readonly kek_id: string
  readonly is_pending: boolean
  readonly not_before: number
  readonly created_at: number
  readonly expires_at: number | null
  readonly revoked_at: number | null
}

const TABLE = 'internal_service_hmac_secrets'
// Against the server's clock: machines whose clocks differ agree on what is valid.
const ms = (column: string) => `(extract(epoch from ${column} - now()) * 1000)::float8 AS ${column}`
const SELECT = `SELECT caller, key_version, ciphertext, kek_id, is_pending, ${ms('not_before')}, ${ms('created_at')},
 ${ms('expires_at')}, ${ms('revoked_at')} FROM ${TABLE}`
// A statement that is run again finds its own row by the ciphertext, which no other attempt has.
const INSERT = `INSERT INTO ${TABLE} AS stored (caller, key_version, ciphertext, kek_id, is_pending, not_before, expires_at)
 VALUES ($1, $2, $3, $4, $5, coalesce(to_timestamp($6::float8 / 1000), now()), to_timestamp($7::float8 / 1000))
 ON CONFLICT (caller, key_version) DO UPDATE SET ciphertext = excluded.ciphertext
 WHERE stored.ciphertext = excluded.ciphertext RETURNING key_version, now()::text AS at`
const PUT_IN_FORCE = `UPDATE ${TABLE} SET is_pending = false WHERE caller = $1 AND key_version = $2
 AND (is_pending OR $3) AND revoked_at IS NULL AND (expires_at IS NULL OR now() < expires_at)
 RETURNING key_version, now()::text AS at`
const END_PREVIOUS = `UPDATE ${TABLE} SET expires_at =
 least(expires_at, $3::timestamptz + make_interval(secs => $4::float8)) WHERE caller = $1 AND key_version < $2`

/**
 * Secrets in PostgreSQL, sealed with AES-256-GCM; the table is in the package's `migrations`. The gate keeps what it
 * opened for `cacheSeconds`: within that a revocation reaches every process.
 *
 * @throws {OptionError}
 */
export function postgresSecrets(client: PostgresClient, options: PostgresSecretsOptions): PostgresSecretStore {
  const { keks, namespace, cacheSeconds, audit, clock } = resolveOptions('postgresSecrets', options, rules)
  resolveOptions('postgresSecrets', { client }, clientRule)
  adviseOnPool(client)
  const ring = parseKekRing(keks)
  const placeOf = (caller: string, version: number): SealedPlace => ({ namespace, caller, version })

  /** `now` is from before the row was read: a slow answer must not make an expiry later. */
  function fromRow(row: Row, now: number): HmacSecretVersion {
    const { caller, key_version: version } = row
    const bytes = open(ring, placeOf(caller, version), row.kek_id, row.ciphertext)
    return {
      caller,
      version,
      key: bytes === undefined ? undefined : createSecretKey(bytes),
      isPending: row.is_pending,
      notBefore: now + row.not_before,
      createdAt: now + row.created_at,
      expiresAt: row.expires_at === null ? undefined : now + row.expires_at,
      revokedAt: row.revoked_at === null ? undefined : now + row.revoked_at,
    }
  }

  async function select(where: string, values: unknown[]): Promise<HmacSecretVersion[]> {
    const now = clock.now()
    const { rows } = await client.query(`${SELECT} ${where} ORDER BY caller COLLATE "C", key_version DESC`, values)
    return (rows as Row[]).map((row) => fromRow(row, now))
  }

  /** The values of {@link INSERT}. */
  function sealedValues(secret: NewHmacSecret): unknown[] {
    const resolved = resolveNewSecret('postgresSecrets', secret)
    const { caller, version, isPending, notBefore = null, expiresAt = null } = resolved
    const bytes = secretKey('postgresSecrets', 'secret', resolved.secret).export()
    const { kekId, sealed } = seal(ring, placeOf(caller, version), bytes)
    return [caller, version, sealed, kekId, isPending, notBefore, expiresAt]
  }

  async function insert(secret: NewHmacSecret): Promise<void> {
    const { caller, version } = secret
    const { rows } = await addRow(secret)
    if (rows.length === 0) throw versionExists(caller, version)
    forgetCaller(store, caller)
    await grantChange(audit, 'added', caller, version, () => undoAdded(caller, version))
  }

  /** Of two concurrent ones the primary key lets only one store its version. See decision 0099. */
  async function rotate(caller: string, rotation: RotateOptions = {}): Promise<RotatedSecret> {
    const [newest] = await select('WHERE caller = $1', [caller])
    const { version, secret, made, graceSeconds, pending } = planRotation('rotate', rotation, newest, clock.now())
    const { rows } =
      secret === undefined
        ? await putInForce(caller, version)
        : await addRow({ caller, version, secret, isPending: pending })
    const [row] = rows as { readonly at: string }[]
    if (row === undefined) throw rotationConflict(caller)
    forgetCaller(store, caller)
    const undo = () => (secret === undefined ? undoPutInForce(caller, version) : undoAdded(caller, version))
    await grantChange(audit, 'rotated', caller, version, undo, { pending })
    const rotated = { caller, version, secret: made }
    if (pending) return rotated
    return (await endPrevious(caller, version, row.at, graceSeconds)) ? rotated : { ...rotated, previous: 'pending' }
  }

  function addRow(secret: NewHmacSecret): Promise<{ rows: unknown[] }> {
    const values = sealedValues(secret)
    return ask(() => client.query(INSERT, values))
  }

  /** Asked again, it takes a version that is in force for its own work: if it was another rotation's, it comes to the same. */
  function putInForce(caller: string, version: number): Promise<{ rows: unknown[] }> {
    return ask((isAgain) => client.query(PUT_IN_FORCE, [caller, version, isAgain]))
  }

  /** Whether it is known that the versions before this one have their end. Nobody is left without the new secret for it. */
  async function endPrevious(caller: string, version: number, at: string, graceSeconds: number): Promise<boolean> {
    const end = () => client.query(END_PREVIOUS, [caller, version, at, graceSeconds])
    const forget = () => forgetCaller(store, caller)
    try {
      await ask(end)
      return true
    } catch {
      askUntilKnown(end).then(forget, () => undefined)
      return false
    } finally {
      forget()
    }
  }

  /** Revoked, not deleted: a version is never replaced. */
  async function undoAdded(caller: string, version: number): Promise<void> {
    if (await revokeVersion(caller, version)) reportChange(audit, 'revoked', caller, version, UNRECORDED)
  }

  async function undoPutInForce(caller: string, version: number): Promise<void> {
    await change('is_pending = true', caller, version)
    reportChange(audit, 'rotated', caller, version, { pending: true, ...UNRECORDED })
  }

  const revokeVersion = async (caller: string, version: number) =>
    (await change('revoked_at = coalesce(revoked_at, now())', caller, version)) !== undefined

  /** The row's end, in ms since the epoch; undefined when there is no such version. */
  async function change(
    assignment: string,
    caller: string,
    version: number,
    ...values: unknown[]
  ): Promise<{ readonly end: number | null } | undefined> {
    const text = `UPDATE ${TABLE} SET ${assignment} WHERE caller = $1 AND key_version = $2
     RETURNING (extract(epoch from expires_at) * 1000)::float8 AS end`
    const { rows } = await ask(() => client.query(text, [caller, version, ...values]))
    forgetCaller(store, caller)
    return (rows as { readonly end: number | null }[])[0]
  }

  const store: PostgresSecretStore = {
    cacheSeconds,
    versions: (caller) => select('WHERE caller = $1', [caller]),
    insert,
    rotate,
    async retire(caller, version, expiresAt) {
      assertMoment('retire', expiresAt)
      const assignment = 'expires_at = least(expires_at, to_timestamp($3::float8 / 1000))'
      const changed = await change(assignment, caller, version, expiresAt)
      if (changed === undefined) return false
      const end = new Date(Math.round(changed.end ?? expiresAt)).toISOString()
      reportChange(audit, 'retired', caller, version, { expires_at: end })
      return true
    },
    async revoke(caller, version) {
      const isKnown = await revokeVersion(caller, version)
      if (isKnown) reportChange(audit, 'revoked', caller, version)
      return isKnown
    },
    list: (caller) => (caller === undefined ? select('', []) : select('WHERE caller = $1', [caller])),
    async reencrypt() {
      const { rows } = await client.query(`${SELECT} WHERE kek_id <> $1`, [ring.writes])
      let count = 0
      for (const row of rows as Row[]) {
        const place = placeOf(row.caller, row.key_version)
        const bytes = open(ring, place, row.kek_id, row.ciphertext)
        if (bytes === undefined) continue
        const { kekId, sealed } = seal(ring, place, bytes)
        // Only the row that was read: another process may have been first.
        const text = `UPDATE ${TABLE} SET ciphertext = $3, kek_id = $4 WHERE caller = $1 AND key_version = $2
         AND ciphertext IN ($3, $5) RETURNING key_version`
        const values = [row.caller, row.key_version, sealed, kekId, row.ciphertext]
        const done = await ask(() => client.query(text, values))
        count += done.rows.length
        forgetCaller(store, row.caller)
      }
      if (count > 0) void audit.emit({ type: 'hmac.secret.reencrypted', gate: 'hmac', attributes: { rows: count } })
      return count
    },
    async importSealed({ envelope, kek, ...row }) {
      const { caller, version } = row
      const secret = openEnvelope(kek, caller, version, envelope)
      if (secret === undefined) {
        throw codedError(
          'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE',
          `the envelope of "${caller}" version ${version} does not open`,
        )
      }
      await insert({ ...row, secret })
    },
  }
  return store
}
