import { andThen } from '@countersign/core/gate-kit'
import type { AcceptIssue, CredentialLife, IssueOutcome, MaybePromise, NewCredential } from '../port.js'
import { isCurrent } from '../standing.js'
import type { Commit } from './changes.js'
import type { CredentialTable } from './credential-table.js'
import { cappedExpiry, type Entry, isWanted, type Moment, recordOf, type StoredEntry, standingOf } from './entry.js'

/** What a table is bounded by. */
export interface IssueLimits {
  readonly maxCredentials: number
  readonly maxPerThread: number
}

/**
 * Adds a credential to a table and, when it is accepted, supersedes or carries the others of its thread and provider that
 * were there before it.
 */
export function issueCredential(
  table: CredentialTable,
  credential: NewCredential,
  { maxCredentials, maxPerThread }: IssueLimits,
  moment: () => Moment,
  life: CredentialLife,
  commit: Commit,
  accept?: AcceptIssue,
): MaybePromise<IssueOutcome> {
  const at = moment()
  table.life = life
  const { threadId } = credential
  if (table.retired.has(threadId, at.now)) return { outcome: 'retired' }
  const existing = currentOf(table, credential, at, life)
  const replaced = endsAtOnce(credential) ? existing : []
  const kept = table.ofThread(threadId).filter((entry) => isWanted(entry, at, life) && !replaced.includes(entry))
  if (kept.length >= maxPerThread) return { outcome: 'full', limit: 'maxPerThread' }
  if (replaced.length === 0 && table.isFull(at, life)) return { outcome: 'full', limit: 'maxCredentials' }
  commit([{ is: 'issue', entry: storedFrom(credential, at, life) }])
  const added = table.get(credential.id) as Entry
  const record = recordOf(added, at, life)
  const finish = (): IssueOutcome => {
    const { superseded, carried } = orEnd(() => replace(table, credential, added, existing, moment(), life, commit))
    // In a full table the new one takes the place of those that it superseded.
    if (table.size > maxCredentials && endsAtOnce(credential)) for (const entry of superseded) table.drop(entry)
    return { outcome: 'issued', credential: record, superseded: idsOf(superseded), carried: idsOf(carried) }
  }
  // Nobody gets its token.
  function orEnd<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      table.revoke(added.id)
      throw error
    }
  }
  return accept === undefined ? finish() : andThen(accept(record), finish)
}

interface ReplacedEntries {
  readonly superseded: readonly Entry[]
  readonly carried: readonly Entry[]
}

/** While the new one was recorded, it or the others may have ended. */
function replace(
  table: CredentialTable,
  { onExisting, overlapMs, ...credential }: NewCredential,
  added: Entry,
  existing: readonly Entry[],
  at: Moment,
  life: CredentialLife,
  commit: Commit,
): ReplacedEntries {
  if (onExisting === 'keep' || !isCurrent(standingOf(added, at, life))) return NOTHING
  const current = currentOf(table, credential, at, life)
  const left = existing.filter((entry) => current.includes(entry))
  if (onExisting === 'carry') {
    // One in its overlap ends with that: to be carried gives no time.
    const carried = left.filter((entry) => isLive(entry, at, life) && (entry.holder ?? entry).usableUntil === undefined)
    // A newer one may have carried this one already: an alias stands for the newest.
    if (carried.length > 0) commit([{ is: 'carry', ids: idsOf(carried), by: added.id }])
    return { superseded: [], carried }
  }
  const until = overlapMs === 0 ? at.now - 1 : at.now + overlapMs
  if (left.length > 0) commit([{ is: 'supersede', ids: idsOf(left), until }])
  return { superseded: left, carried: [] }
}

const NOTHING: ReplacedEntries = { superseded: [], carried: [] }

function endsAtOnce({ onExisting, overlapMs }: NewCredential): boolean {
  return onExisting === 'supersede' && overlapMs === 0
}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ id }) => id)
}

/** Those of the same thread and provider that are neither revoked nor superseded. */
function currentOf(
  table: CredentialTable,
  { threadId, providerInstanceId }: Pick<NewCredential, 'threadId' | 'providerInstanceId'>,
  at: Moment,
  life: CredentialLife,
): Entry[] {
  return table
    .ofThread(threadId)
    .filter(
      (entry) => entry.provider.id === providerInstanceId && isCurrent(standingOf(entry.holder ?? entry, at, life)),
    )
}

function storedFrom(
  { digest, onExisting, overlapMs, ...credential }: NewCredential,
  at: Moment,
  life: CredentialLife,
): StoredEntry {
  const absolute = life.absoluteLifetimeMs === undefined ? undefined : at.now + life.absoluteLifetimeMs
  return {
    ...credential,
    digest: digest.toString('base64'),
    issuedAt: at.wall,
    absolute,
    expires: cappedExpiry({ absolute }, at.now, life),
    idle: at.running + life.idleTimeoutMs + life.coalesceMs,
  }
}

function isLive(entry: Entry, at: Moment, life: CredentialLife): boolean {
  return standingOf(entry.holder ?? entry, at, life) === 'live'
}
