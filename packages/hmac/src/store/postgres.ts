import { createSecretKey } from 'node:crypto'
import type { Audit, Clock } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { PostgresClient } from '@countersign/postgres'
import { adviseOnPool, assertClient, isRefusal } from '@countersign/postgres/store'
import { secretKey } from '../secret-key.js'
import { forgetCaller } from './cache.js'
import {
  addedAttributes,
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
import { ask, askUntilKnown } from './postgres/outcome.js'
import { open, openEnvelope, parseKekRing, type SealedPlace, seal } from './postgres/sealing.js'
import { sharedRights } from './postgres/shared-rights.js'
import { statementsFor } from './postgres/statements.js'
import { quotedTable, type SecretsTable, tableRules } from './postgres/table.js'

export { type PostgresClient, type PostgresUsageOptions, postgresUsage } from '@countersign/postgres'
export { type PostgresOptionsFromEnv, postgresSecretsOptionsFromEnv } from './postgres/options-from-env.js'
export { inspectSecretsTable, quotedTable, type SecretsTable, type TableState } from './postgres/table.js'

/** Options of {@link postgresSecrets}. */
export interface PostgresSecretsOptions extends SecretsTable {
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
  /** The ids of the key-encryption keys that sealed what this ring does not open. */
  foreignKeks(): Promise<readonly string[]>
  /**
   * What {@link importSealed} would find; stores nothing. `stored`: the version is there with this very secret; `different`:
   * with another one.
   */
  checkSealed(row: SealedSecret): Promise<'new' | 'stored' | 'different'>
  /**
   * Takes over `b64(iv):b64(tag):b64(ciphertext)` that was sealed with `kek` (32 bytes) and the data `caller:version`. False
   * when the version is there already with this very secret; rejects when it is there with another one.
   */
  importSealed(row: SealedSecret): Promise<boolean>
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
  ...tableRules,
  ...storeOptionRules,
}

/** @throws with code `ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE`. */
function openSealed({ envelope, kek, caller, version }: SealedSecret): Buffer {
  const secret = openEnvelope(kek, caller, version, envelope)
  if (secret !== undefined) return secret
  throw codedError(
    'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE',
    `the envelope of "${caller}" version ${version} cannot be decrypted`,
  )
}

/** Times are ms from the server's now. */
interface Row {
  readonly caller: string
  readonly key_version: number
  readonly ciphertext: string
  readonly kek_id: string
  readonly is_pending: boolean
  readonly accepts_shared: boolean
  readonly not_before: number
  readonly created_at: number
  readonly expires_at: number | null
  readonly revoked_at: number | null
}

/**
 * Secrets in PostgreSQL, sealed with AES-256-GCM; the table is in the package's `migrations`. The gate keeps what it
 * opened for `cacheSeconds`: within that a revocation reaches every process.
 *
 * @throws {OptionError}
 */
export function postgresSecrets(client: PostgresClient, options: PostgresSecretsOptions): PostgresSecretStore {
  const { keks, namespace, cacheSeconds, audit, clock, table, schema } = resolveOptions(
    'postgresSecrets',
    options,
    rules,
  )
  assertClient(client, 'postgresSecrets')
  adviseOnPool(client)
  const ring = parseKekRing(keks)
  const sql = statementsFor(quotedTable('postgresSecrets', { table, schema }))
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
      ...(row.accepts_shared ? { acceptsShared: true } : {}),
      notBefore: now + row.not_before,
      createdAt: now + row.created_at,
      expiresAt: row.expires_at === null ? undefined : now + row.expires_at,
      revokedAt: row.revoked_at === null ? undefined : now + row.revoked_at,
    }
  }

  async function select(where: string, values: unknown[]): Promise<HmacSecretVersion[]> {
    const now = clock.now()
    const { rows } = await client.query(`${sql.select} ${where} ORDER BY caller COLLATE "C", key_version DESC`, values)
    return (rows as Row[]).map((row) => fromRow(row, now))
  }

  /** The values of the insert. */
  function sealedValues(secret: NewHmacSecret): unknown[] {
    const resolved = resolveNewSecret('postgresSecrets', secret)
    const { caller, version, isPending, acceptsShared, notBefore = null, expiresAt = null } = resolved
    const bytes = secretKey('postgresSecrets', 'secret', resolved.secret).export()
    const { kekId, sealed } = seal(ring, placeOf(caller, version), bytes)
    return [caller, version, sealed, kekId, isPending, notBefore, expiresAt, acceptsShared]
  }

  async function insert(secret: NewHmacSecret): Promise<void> {
    const { caller, version } = secret
    const { rows } = await addRow(secret)
    if (rows.length === 0) throw versionExists(caller, version)
    forgetCaller(store, caller)
    await grantChange(audit, 'added', caller, version, () => undoAdded(caller, version), addedAttributes(secret))
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

  async function addRow(secret: NewHmacSecret): Promise<{ rows: unknown[] }> {
    const values = sealedValues(secret)
    const own = values.slice(0, 3)
    try {
      return await ask(() => client.query(sql.insert, values))
    } catch (error) {
      if (isRefusal(error)) throw error
      const found = await client.query(sql.readOwn, own).catch(() => undefined)
      if (found !== undefined && found.rows.length > 0) return found
      if (found === undefined) revokeUnknown(secret, own)
      throw error
    }
  }

  /** Nobody has been told that it is stored, and nothing recorded it: if it is, it must not stay valid. */
  function revokeUnknown({ caller, version }: NewHmacSecret, own: unknown[]): void {
    const revoking = askUntilKnown(() => client.query(sql.revokeOwn, own)).then(({ rows }) => {
      forgetCaller(store, caller)
      if (rows.length > 0) reportChange(audit, 'revoked', caller, version, { cause: 'outcome_unknown' })
    })
    revoking.catch(() => undefined)
  }

  /** Asked again, it takes a version that is in force for its own work: if it was another rotation's, it comes to the same. */
  function putInForce(caller: string, version: number): Promise<{ rows: unknown[] }> {
    return ask((isAgain) => client.query(sql.putInForce, [caller, version, isAgain]))
  }

  /** Whether it is known that the versions before this one have their end. Nobody is left without the new secret for it. */
  async function endPrevious(caller: string, version: number, at: string, graceSeconds: number): Promise<boolean> {
    const end = () => client.query(sql.endPrevious, [caller, version, at, graceSeconds])
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
    const text = sql.update(assignment)
    const { rows } = await ask(() => client.query(text, [caller, version, ...values]))
    forgetCaller(store, caller)
    return (rows as { readonly end: number | null }[])[0]
  }

  async function checkSealed(row: SealedSecret): Promise<'new' | 'stored' | 'different'> {
    const secret = openSealed(row)
    const there = (await select('WHERE caller = $1', [row.caller])).find(({ version }) => version === row.version)
    if (there === undefined) return 'new'
    return there.key?.equals(createSecretKey(secret)) ? 'stored' : 'different'
  }

  const versions = (caller: string) => select('WHERE caller = $1', [caller])

  const store: PostgresSecretStore = {
    cacheSeconds,
    versions,
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
      const { rows } = await client.query(`${sql.select} WHERE kek_id <> $1`, [ring.writes])
      let count = 0
      for (const row of rows as Row[]) {
        const place = placeOf(row.caller, row.key_version)
        const bytes = open(ring, place, row.kek_id, row.ciphertext)
        if (bytes === undefined) continue
        const { kekId, sealed } = seal(ring, place, bytes)
        const values = [row.caller, row.key_version, sealed, kekId, row.ciphertext]
        const done = await ask(() => client.query(sql.rewrite, values))
        count += done.rows.length
        forgetCaller(store, row.caller)
      }
      if (count > 0) void audit.emit({ type: 'hmac.secret.reencrypted', gate: 'hmac', attributes: { rows: count } })
      return count
    },
    ...sharedRights({ client, sql, audit, versions, changed: (caller) => forgetCaller(store, caller) }),
    async foreignKeks() {
      const unreadable = (await select('', [])).filter(({ key }) => key === undefined)
      if (unreadable.length === 0) return []
      const places = unreadable.map(({ caller, version }) => `${caller}/${version}`)
      const { rows } = await client.query(sql.foreignKeks, [places])
      return (rows as { readonly kek_id: string }[]).map(({ kek_id }) => kek_id)
    },
    checkSealed,
    async importSealed(row) {
      const state = await checkSealed(row)
      if (state === 'different') throw versionExists(row.caller, row.version)
      if (state === 'stored') return false
      const { envelope, kek, ...rest } = row
      await insert({ ...rest, secret: openSealed(row) })
      return true
    },
  }
  return store
}
