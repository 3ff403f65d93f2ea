import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@countersign/core'
import { andThen, option, resolveOptions, systemClock, warnOfMemory } from '@countersign/core/gate-kit'
import { CredentialTable } from './memory/credential-table.js'
import { latenessOf, type Moment, recordOf, tokenStanding } from './memory/entry.js'
import { issueCredential } from './memory/issue.js'
import { type Ended, Journal } from './memory/journal.js'
import { countEntries, listEntries } from './memory/list.js'
import { RunningTime, TICK_MS } from './memory/running-time.js'
import { readSnapshot, writeSnapshot } from './memory/snapshot.js'
import type {
  AcceptIssue,
  CredentialLife,
  FoundCredential,
  IssueOutcome,
  MaybePromise,
  McpCredentialStore,
  NewCredential,
} from './port.js'

/** Options of {@link memoryCredentials}. */
export interface MemoryCredentialsOptions {
  /** Credentials that may be held at once. Default 100 000. Beyond it issuing is refused; none is evicted. */
  readonly maxCredentials?: number | undefined
  /** Credentials that one thread may have at once. Default 100. */
  readonly maxPerThread?: number | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

/** The memory store: the port, and what its owner may call. */
export interface MemoryCredentialStore extends McpCredentialStore {
  /** Reads the clock. A timer calls it every 15 s; call it yourself after you moved a test's clock. */
  tick(): void
  /** Entries in memory, including those that are kept only for the reason in a refusal. */
  held(): number
}

const RULES = {
  maxCredentials: option.integer(1, 100_000_000).default(100_000),
  maxPerThread: option.integer(1, 1_000_000).default(100),
  clock: option.clock().default(systemClock),
}

/**
 * Credentials in this process's memory; answers without a promise. Idleness counts running time alone, so a computer's
 * sleep or a correction of its clock does not end every session at once.
 *
 * @throws {OptionError}
 */
export function memoryCredentials(options: MemoryCredentialsOptions = {}): MemoryCredentialStore {
  const { maxCredentials, maxPerThread, clock } = resolveOptions('memoryCredentials', options, RULES)
  warnOfMemory({
    store: 'memoryCredentials()',
    keeps: 'the credentials of agents, and which of them are revoked,',
    instead: 'redisCredentials(redis) of @countersign/mcp-credential/redis',
  })
  const time = new RunningTime(clock)
  const moment = (): Moment => time.moment()
  const table = new CredentialTable({ maxCredentials, moment })
  const journal = new Journal()
  const sessionKey = randomBytes(32)

  function tick(): void {
    time.tick()
    table.sweep()
  }
  const timer = setInterval(tick, TICK_MS)
  timer.unref()

  /** Journals a revocation before it is acknowledged. */
  function journalEnd(scope: Ended['scope'], ids: readonly string[], inMs = 0): void {
    if (!journal.isOpen || ids.length === 0) return
    const now = moment()
    const at = table.markEnd(now) + inMs
    journal.append(ids.map((id) => ({ at, scope, id, until: Math.max(at, table.latestExpiry(now)) })))
  }

  function use(id: string, digest: Buffer, life: CredentialLife, revives: boolean): FoundCredential | undefined {
    const entry = table.get(id)
    const isProven = sameDigest(entry?.digest, digest)
    if (entry === undefined) return undefined
    const at = moment()
    const standing = tokenStanding(entry, at, life)
    const slides = isProven && (standing === 'live' ? life.slidesOnUse || revives : standing === 'idle' && revives)
    const holder = entry.holder ?? entry
    if (slides) table.slide(holder, at, life)
    const credential = recordOf(holder, at, life)
    if (slides || standing === 'live') return { standing: 'live', isProven, credential }
    return { standing, isProven, credential, lateMs: latenessOf(holder, at, standing, life) }
  }

  return {
    tick,
    issue(credential: NewCredential, life: CredentialLife, accept?: AcceptIssue): MaybePromise<IssueOutcome> {
      const issued = issueCredential(table, credential, { maxCredentials, maxPerThread }, moment, life, accept)
      const { overlapMs } = credential
      return andThen(issued, (outcome) => {
        if (outcome.outcome === 'issued') {
          journalEnd(overlapMs === 0 ? 'credential' : 'overlap', outcome.superseded, overlapMs)
        }
        return outcome
      })
    },
    resolve: (id, digest, life) => use(id, digest, life, false),
    revive: (id, digest, life) => use(id, digest, life, true),
    peek(id, life) {
      const entry = table.get(id)
      if (entry === undefined) return undefined
      const at = moment()
      const credential = recordOf(entry.holder ?? entry, at, life)
      return { standing: tokenStanding(entry, at, life), isProven: false, credential }
    },
    touch: (threadId, life) => table.touch(threadId, life),
    revoke(id) {
      const aliases = journal.isOpen ? table.aliasesOf(id) : []
      const done = table.revoke(id)
      journalEnd('credential', [id, ...aliases])
      return done
    },
    revokeScope(scope, id) {
      const done = table.revokeScope(scope, id)
      journalEnd(scope, [id])
      return done
    },
    retire(threadId, blockMs) {
      const done = table.retire(threadId, blockMs)
      journalEnd('thread', [threadId])
      return done
    },
    list: (filter, cursor, limit, life) => listEntries(table, filter, cursor, limit, moment(), life),
    count: (life) => countEntries(table, moment(), life),
    async snapshot(file, life) {
      // Opened before the snapshot is written: what is revoked meanwhile is in the snapshot or in the journal.
      journal.open(file)
      const count = await writeSnapshot(file, table, moment(), life)
      await journal.compact(file, moment().wall)
      return count
    },
    async restore(file, life) {
      journal.open(file)
      return readSnapshot(file, table, moment, life)
    },
    sessionKey: () => sessionKey,
    held: () => table.size,
    close: () => clearInterval(timer),
  }
}

const presented = Buffer.alloc(32)
const stored = Buffer.alloc(32)

/** Compares in constant time, also when there is no digest to compare with. */
function sameDigest(digest: string | undefined, other: Buffer): boolean {
  stored.write(digest ?? DUMMY, 0, 32, 'latin1')
  other.copy(presented, 0, 0, 32)
  return timingSafeEqual(stored, presented) && digest !== undefined
}

const DUMMY = '\0'.repeat(32)
