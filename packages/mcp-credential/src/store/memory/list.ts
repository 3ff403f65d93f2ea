import type { CredentialLife, ListFilter, ListPage } from '../port.js'
import { isCurrent } from '../standing.js'
import type { CredentialTable } from './credential-table.js'
import { type Entry, type Moment, recordOf, standingOf, tokenStanding } from './entry.js'

/** A page of the credentials that have a thread, in the order of their ids; an alias is listed as its holder. */
export function listEntries(
  table: CredentialTable,
  filter: ListFilter,
  cursor: string | undefined,
  limit: number,
  at: Moment,
  life: CredentialLife,
): ListPage {
  const matches = [...(filter.threadId === undefined ? table.values() : table.ofThread(filter.threadId))]
    .filter((entry) => isListed(entry, filter) && (cursor === undefined || entry.id > cursor))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const page = matches.slice(0, limit)
  return {
    credentials: page
      .map((entry) => ({ ...recordOf(entry, at, life), standing: standingOf(entry, at, life) }))
      .filter(({ standing }) => isCurrent(standing)),
    cursor: matches.length > limit ? page.at(-1)?.id : undefined,
  }
}

function isListed(entry: Entry, { threadId, providerInstanceId }: ListFilter): boolean {
  return (
    entry.holder === undefined &&
    !entry.isRevoked &&
    (threadId === undefined || entry.thread.id === threadId) &&
    (providerInstanceId === undefined || entry.provider.id === providerInstanceId)
  )
}

/** How many entries are neither revoked nor superseded. */
export function countEntries(table: CredentialTable, at: Moment, life: CredentialLife): number {
  let count = 0
  for (const entry of table.values()) if (isCurrent(tokenStanding(entry, at, life))) count += 1
  return count
}
