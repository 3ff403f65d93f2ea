import type { Audit } from '@countersign/core'
import { recordForgotten, recordShared, tellSharedEnded } from '../changes.js'
import type { HmacSecretStore, HmacSecretVersion } from '../port.js'
import { ask, askForRight } from './outcome.js'
import type { Statements } from './statements.js'

/** What {@link sharedRights} needs. */
export interface SharedRightsParts {
  readonly client: { query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> }
  readonly sql: Statements
  readonly audit: Audit
  readonly versions: (caller: string) => Promise<readonly HmacSecretVersion[]>
  /** What was read of a caller is no longer so. */
  readonly changed: (caller: string) => void
}

/** A row as {@link HmacSecretStore.forget} keeps it to restore it. */
interface ReadRow {
  readonly key_version: number
  readonly ciphertext: string
  readonly row: string
}

/** The changes with which the shared secret counts for a caller. */
export function sharedRights({
  client,
  sql,
  audit,
  versions,
  changed,
}: SharedRightsParts): Pick<HmacSecretStore, 'acceptShared' | 'forget'> {
  /** Of one that accepts it already, nobody knows whether that was recorded: each is, and the first one alone is undone. */
  async function startShared(caller: string): Promise<boolean> {
    const accepts = async () => (await versions(caller)).some((entry) => entry.acceptsShared)
    const wasAccepted = await accepts()
    const recorded = () => recordShared(audit, caller, () => (wasAccepted ? undefined : endShared(caller)))
    const { rows } = await askForRight(
      () => client.query(sql.acceptShared, [caller, true]),
      accepts,
      (isAccepted) => (isAccepted ? recorded() : undefined),
    )
    changed(caller)
    if (rows.length > 0) await recorded()
    return rows.length > 0
  }

  async function endShared(caller: string): Promise<boolean> {
    const { rows } = await ask(() => client.query(sql.acceptShared, [caller, false]))
    changed(caller)
    return rows.length > 0
  }

  return {
    async acceptShared(caller, isAccepted) {
      if (isAccepted) return startShared(caller)
      const isKnown = await endShared(caller)
      if (isKnown) tellSharedEnded(audit, caller)
      return isKnown
    },
    async forget(caller, version) {
      const read = async () => (await client.query(sql.read, [caller, version ?? null])).rows as ReadRow[]
      const found = await read()
      if (found.length === 0) return []
      const versions = found.map(({ key_version }) => key_version)
      const restore = async () => {
        await ask(() => client.query(sql.restore, [`[${found.map(({ row }) => row).join()}]`]))
        changed(caller)
      }
      const recorded = () => {
        changed(caller)
        return recordForgotten(audit, caller, versions, restore)
      }
      const ciphertexts = found.map(({ ciphertext }) => ciphertext)
      await askForRight(
        () => client.query(sql.remove, [caller, ciphertexts]),
        read,
        (left) => (left.some(({ ciphertext }) => ciphertexts.includes(ciphertext)) ? undefined : recorded()),
      )
      await recorded()
      return versions
    },
  }
}
