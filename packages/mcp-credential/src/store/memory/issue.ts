import type { CredentialLife, IssueOutcome, NewCredential } from '../port.js'
import type { CredentialTable } from './credential-table.js'
import { type Entry, isCurrent, isWanted, type Moment, recordOf, standingOf } from './entry.js'

/** What a table is bounded by. */
export interface IssueLimits {
  readonly maxCredentials: number
  readonly maxPerThread: number
}

/** Adds a credential to a table, and supersedes or carries the others of its thread and provider. */
export function issueCredential(
  table: CredentialTable,
  credential: NewCredential,
  { maxCredentials, maxPerThread }: IssueLimits,
  at: Moment,
  life: CredentialLife,
): IssueOutcome {
  const { threadId, onExisting, overlapMs } = credential
  if (table.retired.has(threadId, at.now)) return { outcome: 'retired' }
  const existing = currentOf(table, credential, at, life)
  const endsAtOnce = onExisting === 'supersede' && overlapMs === 0
  const replaced = endsAtOnce ? existing : []
  const kept = table.ofThread(threadId).filter((entry) => isWanted(entry, at, life) && !replaced.includes(entry))
  if (kept.length >= maxPerThread) return { outcome: 'full', limit: 'maxPerThread' }
  if (replaced.length === 0 && table.isFull(at, life)) return { outcome: 'full', limit: 'maxCredentials' }
  const added = table.add(credential, at, life)
  const superseded = onExisting === 'supersede' ? existing : []
  for (const entry of superseded) limitUse(entry, endsAtOnce ? at.now - 1 : at.now + overlapMs)
  for (const entry of replaced) table.bury(entry)
  // In a full table the new one takes the place of those that it superseded.
  if (table.size > maxCredentials) for (const entry of replaced) table.drop(entry)
  const carried = onExisting === 'carry' ? existing.filter((entry) => isLive(entry, at, life)) : []
  for (const entry of carried) entry.holder = added
  return {
    outcome: 'issued',
    credential: recordOf(added, at, life),
    superseded: superseded.map(({ id }) => id),
    carried: carried.map(({ id }) => id),
  }
}

/** Those of the same thread and provider that are neither revoked nor superseded. */
function currentOf(
  table: CredentialTable,
  { threadId, providerInstanceId }: NewCredential,
  at: Moment,
  life: CredentialLife,
): Entry[] {
  return table
    .ofThread(threadId)
    .filter(
      (entry) => entry.providerId === providerInstanceId && isCurrent(standingOf(entry.holder ?? entry, at, life)),
    )
}

function limitUse(entry: Entry, until: number): void {
  entry.usableUntil = Math.min(entry.usableUntil ?? Number.POSITIVE_INFINITY, until)
}

function isLive(entry: Entry, at: Moment, life: CredentialLife): boolean {
  return standingOf(entry.holder ?? entry, at, life) === 'live'
}
