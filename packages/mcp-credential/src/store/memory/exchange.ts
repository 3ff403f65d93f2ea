import type { CredentialLife } from '../port.js'
import type { CredentialTable } from './credential-table.js'
import {
  type Entry,
  expiryDeadline,
  idleDeadline,
  type Moment,
  type StoredEntry,
  tokenStanding,
  wallOffset,
} from './entry.js'
import type { Ended } from './journal.js'

/** The live and the idle entries, with the deadlines that touches gave them. */
export function exportEntries(table: CredentialTable, at: Moment, life: CredentialLife): StoredEntry[] {
  return [...table.values()].filter((entry) => isKept(entry, at, life)).map((entry) => storedFrom(entry, at, life))
}

function isKept(entry: Entry, at: Moment, life: CredentialLife): boolean {
  const standing = tokenStanding(entry, at, life)
  return standing === 'live' || standing === 'idle'
}

function storedFrom(entry: Entry, at: Moment, life: CredentialLife): StoredEntry {
  const offset = wallOffset(at)
  return {
    id: entry.id,
    digest: Buffer.from(entry.digest, 'latin1').toString('base64'),
    threadId: entry.thread.id,
    providerInstanceId: entry.providerId,
    providerSessionId: entry.sessionId,
    capabilities: entry.capabilities,
    issuedAt: entry.issuedAt,
    expires: expiryDeadline(entry, life) + offset,
    absolute: entry.absolute === undefined ? undefined : entry.absolute + offset,
    idleLeftMs: idleDeadline(entry, life) - at.running,
    usableUntil: entry.usableUntil === undefined ? undefined : entry.usableUntil + offset,
    holder: entry.holder?.id,
  }
}

/** Restores entries, without those that the journal says were ended since. Returns how many were restored. */
export function importEntries(
  table: CredentialTable,
  entries: readonly StoredEntry[],
  ended: readonly Ended[],
  at: Moment,
  life: CredentialLife,
): number {
  const endings = endingsOf(ended)
  const isEnded = endedFilter(ended, endings, at.wall)
  const stored = new Map(entries.map((entry) => [entry.id, entry]))
  // An alias ends with its holder, as it does in the table. What ended its own session or its overlap is not its end.
  const isOver = (entry: StoredEntry) =>
    entry.holder === undefined
      ? isEnded(entry)
      : endings.get(entry.id) === ENDED_AT_ONCE || isEnded(stored.get(entry.holder) ?? entry)
  const kept = entries.filter((entry) => !isOver(entry) && table.get(entry.id) === undefined)
  table.reserve(kept.length)
  for (const { scope, at: end } of ended) if (scope !== 'overlap') table.issueAfter(end)
  for (const entry of kept) {
    const end = endings.get(entry.id)
    const usableUntil = end === undefined ? entry.usableUntil : Math.min(entry.usableUntil ?? end, end)
    table.restore({ ...entry, usableUntil }, at, life)
  }
  return kept.filter((entry) => entry.holder === undefined || link(table, entry.id, entry.holder)).length
}

/** An alias without its holder is revoked. */
function link(table: CredentialTable, id: string, holderId: string): boolean {
  const alias = table.get(id) as Entry
  const holder = table.get(holderId)
  if (holder === undefined) {
    table.revoke(id)
    return false
  }
  alias.holder = holder
  return true
}

const ENDED_AT_ONCE = Number.NEGATIVE_INFINITY

/** When each credential ends. The earliest counts: an overlap gives no time back. */
function endingsOf(ended: readonly Ended[]): Map<string, number> {
  const endings = new Map<string, number>()
  for (const { scope, id, at } of ended) {
    if (scope !== 'credential' && scope !== 'overlap') continue
    // Nor does a clock that was set back since.
    const end = scope === 'credential' ? ENDED_AT_ONCE : at
    endings.set(id, Math.min(endings.get(id) ?? end, end))
  }
  return endings
}

function endedFilter(
  ended: readonly Ended[],
  endings: ReadonlyMap<string, number>,
  now: number,
): (entry: StoredEntry) => boolean {
  const latest = new Map<string, number>()
  for (const { scope, id, at } of ended) {
    const key = `${scope}\0${id}`
    latest.set(key, Math.max(latest.get(key) ?? Number.NEGATIVE_INFINITY, at))
  }
  const endOf = (scope: Ended['scope'], id: string) => latest.get(`${scope}\0${id}`) ?? Number.NEGATIVE_INFINITY
  return ({ id, threadId, providerInstanceId, providerSessionId, issuedAt }) =>
    now >= (endings.get(id) ?? Number.POSITIVE_INFINITY) ||
    issuedAt <= endOf('thread', threadId) ||
    issuedAt <= endOf('provider', providerInstanceId) ||
    (providerSessionId !== undefined && issuedAt <= endOf('session', providerSessionId)) ||
    issuedAt <= endOf('all', '*')
}
