import type { RevocableScope } from '../port.js'
import type { CredentialTable } from './credential-table.js'
import { type Aliveness, isRevoked, type Moment, type StoredEntry } from './entry.js'
import type { RunningTime } from './running-time.js'

/** A change of a table, as it is in the log. Times are the store's own count, and running time. */
export type Change =
  | { readonly is: 'time'; readonly at: Moment }
  | { readonly is: 'issue'; readonly entry: StoredEntry }
  | { readonly is: 'slide'; readonly id: string; readonly idle: number; readonly expires: number }
  | { readonly is: 'touch'; readonly threadId: string; readonly alive: Aliveness }
  | { readonly is: 'supersede'; readonly ids: readonly string[]; readonly until: number }
  | { readonly is: 'carry'; readonly ids: readonly string[]; readonly by: string }
  | { readonly is: 'revoke'; readonly id: string }
  | { readonly is: 'end'; readonly scope: RevocableScope; readonly id: string }
  | { readonly is: 'retire'; readonly threadId: string; readonly until: number }

/** Writes changes to the log, if there is one, and makes them. Throws, and makes none, when they cannot be written. */
export type Commit = (changes: readonly Change[], durability?: 'acknowledged' | 'lazy') => void

/** Makes a change, one that is read back too; false when it is unknown. */
export function applyChange(table: CredentialTable, time: RunningTime, change: Change): boolean {
  switch (change.is) {
    case 'time':
      time.resume(change.at)
      return true
    case 'issue':
      table.insert(change.entry)
      return true
    case 'slide':
      Object.assign(table.get(change.id) ?? {}, { idle: change.idle, expires: change.expires })
      return true
    case 'touch':
      table.setAlive(change.threadId, change.alive)
      return true
    case 'supersede':
      for (const id of change.ids) table.supersede(id, change.until)
      return true
    case 'carry':
      for (const id of change.ids) table.carry(id, change.by)
      return true
    case 'revoke':
      table.revoke(change.id)
      return true
    case 'end':
      table.revokeScope(change.scope, change.id)
      return true
    case 'retire':
      table.retire(change.threadId, change.until)
      return true
    default:
      return false
  }
}

/** The changes that lead to what a table holds now, what has ended included: its reason is told after a restart, too. */
export function* changesTo(table: CredentialTable, at: Moment): Generator<Change> {
  yield { is: 'time', at }
  for (const [threadId, until] of table.retired.entries()) yield { is: 'retire', threadId, until }
  for (const entry of table.values()) {
    const stored: StoredEntry = {
      id: entry.id,
      digest: Buffer.from(entry.digest, 'latin1').toString('base64'),
      threadId: entry.thread.id,
      providerInstanceId: entry.provider.id,
      providerSessionId: entry.session?.id,
      capabilities: entry.capabilities,
      issuedAt: entry.issuedAt,
      absolute: entry.absolute,
      expires: entry.expires,
      idle: entry.idle,
      usableUntil: entry.usableUntil,
      // Of an alias its holder's scopes count, not its own.
      isRevoked: entry.holder === undefined ? isRevoked(entry) : entry.isRevoked,
    }
    yield { is: 'issue', entry: stored }
  }
  for (const { id, holder } of table.values()) if (holder !== undefined) yield { is: 'carry', ids: [id], by: holder.id }
  for (const { id, alive } of table.threads()) if (alive !== undefined) yield { is: 'touch', threadId: id, alive }
}
