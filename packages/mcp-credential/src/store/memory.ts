import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, OptionError } from '@countersign/core'
import { type FileLog, type FsyncPolicy, openFileLog } from '@countersign/core/file-log'
import { isUnavailable, option, resolveOptions, systemClock, warnOfMemory } from '@countersign/core/gate-kit'
import { applyChange, type Change, type Commit, changesTo } from './memory/changes.js'
import { CredentialTable } from './memory/credential-table.js'
import {
  type Entry,
  entriesOf,
  latenessOf,
  lifted,
  type Moment,
  recordOf,
  slid,
  tokenStanding,
  touched,
} from './memory/entry.js'
import { issueCredential } from './memory/issue.js'
import { countEntries, listEntries } from './memory/list.js'
import { RunningTime, TICK_MS } from './memory/running-time.js'
import type {
  AcceptIssue,
  CredentialLife,
  FoundCredential,
  IssueOutcome,
  MaybePromise,
  McpCredentialStore,
  NewCredential,
  WrongSecret,
} from './port.js'

/** Options of {@link memoryCredentials}. */
export interface MemoryCredentialsOptions {
  /** Credentials that may be held at once. Default 100 000. Beyond it issuing is refused; none is evicted. */
  readonly maxCredentials?: number | undefined
  /** Credentials that one thread may have at once. Default 100. */
  readonly maxPerThread?: number | undefined
  /**
   * Where every change is kept, so that credentials survive a restart and `kill -9`: an append-only log, hashes only. One
   * process has it open. Default: nowhere.
   */
  readonly file?: string | undefined
  /**
   * `always` (default): what is acknowledged is on disk, and survives a loss of power. `never`: the system writes it when it
   * likes; it survives the end of the process alone.
   */
  readonly fsync?: FsyncPolicy | undefined
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
  file: option.string(),
  fsync: option.oneOf('always', 'never'),
  clock: option.clock().default(systemClock),
}

/**
 * Credentials in this process's memory; answers without a promise. Idleness counts running time alone, so a computer's
 * sleep or a correction of its clock does not end every session at once.
 *
 * @throws {OptionError}
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses to open or write the log.
 */
export function memoryCredentials(options: MemoryCredentialsOptions = {}): MemoryCredentialStore {
  const { maxCredentials, maxPerThread, file, fsync, clock } = resolveOptions('memoryCredentials', options, RULES)
  if (file === undefined && fsync !== undefined) {
    const message = 'memoryCredentials: fsync applies to a file, and there is no file'
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'fsync', message)
  }
  warnOfMemory({
    store: 'memoryCredentials()',
    keeps: 'the credentials of agents and their revocations',
    instead: 'redisCredentials(redis) of @countersign/mcp-credential/redis',
  })
  const time = new RunningTime(clock)
  const moment = (): Moment => time.moment()
  const table = new CredentialTable({ maxCredentials, moment })
  /** The last moment in the log: a restart continues from there. */
  let noted = moment()
  const log = file === undefined ? undefined : openLog(file, fsync ?? 'always')
  const sessionKey = randomBytes(32)

  function openLog(path: string, policy: FsyncPolicy): FileLog<Change> {
    return openFileLog<Change>({
      file: path,
      format: 'countersign-mcp-credentials/2',
      dependency: 'credential_store',
      fsync: policy,
      replay: (change) => applyChange(table, time, change),
      state() {
        noted = moment()
        return changesTo(table, noted)
      },
    })
  }

  const commit: Commit = (changes, durability = 'acknowledged') => {
    log?.append(changes, durability)
    for (const change of changes) applyChange(table, time, change)
  }

  /** What has ended here and could not be written: repeated, it is done. */
  const owed = new Set<string>()

  /** Writes an end that counts here already: when that fails it is reported, and to be repeated. */
  function end(change: Change, of: string, isNew: boolean): boolean {
    const key = `${change.is} ${of}`
    if (isNew) owed.add(key)
    log?.append([change], 'acknowledged')
    return owed.delete(key)
  }

  function note(): void {
    noted = moment()
    log?.append([{ is: 'time', at: noted }], 'lazy')
  }

  /** What is refused for its time is not live after a restart. */
  function noteRefusal(entry: Entry, life: CredentialLife): void {
    if (log !== undefined && tokenStanding(entry, noted, life) === 'live') note()
  }

  function tick(): void {
    time.tick()
    table.sweep()
    try {
      note()
      log?.compact()
    } catch (error) {
      // The next change says so.
      if (!isUnavailable(error)) throw error
    }
  }
  const timer = setInterval(tick, TICK_MS)
  timer.unref()

  function use(
    id: string,
    digest: Buffer,
    life: CredentialLife,
    revives: boolean,
  ): FoundCredential | WrongSecret | undefined {
    log?.assertHeld()
    const entry = table.get(id)
    const isProven = sameDigest(entry?.digest, digest)
    if (entry === undefined) return undefined
    if (!isProven) return WRONG_SECRET
    const at = moment()
    const standing = tokenStanding(entry, at, life)
    if (standing !== 'live' && table.forgets(entry, at, life)) return undefined
    const slides = standing === 'live' ? life.slidesOnUse || revives : standing === 'idle' && revives
    const holder = entry.holder ?? entry
    const moved = slides ? slid(holder, at, life) : undefined
    if (moved !== undefined) commit([{ is: 'slide', id: holder.id, ...moved }], 'lazy')
    const credential = recordOf(holder, at, life)
    if (slides || standing === 'live') return { standing: 'live', isProven, credential }
    noteRefusal(entry, life)
    return { standing, isProven, credential, lateMs: latenessOf(holder, at, standing, life) }
  }

  return {
    tick,
    isRestored: table.size > 0,
    issue: (credential: NewCredential, life: CredentialLife, accept?: AcceptIssue): MaybePromise<IssueOutcome> =>
      issueCredential(table, credential, { maxCredentials, maxPerThread }, moment, life, commit, accept),
    resolve: (id, digest, life) => use(id, digest, life, false),
    revive: (id, digest, life) => use(id, digest, life, true),
    peek(id, life) {
      log?.assertHeld()
      const entry = table.get(id)
      if (entry === undefined) return undefined
      const at = moment()
      const standing = tokenStanding(entry, at, life)
      if (standing !== 'live' && table.forgets(entry, at, life)) return undefined
      if (standing !== 'live') noteRefusal(entry, life)
      return { standing, isProven: false, credential: recordOf(entry.holder ?? entry, at, life) }
    },
    touch(threadId, life) {
      log?.assertHeld()
      const thread = table.thread(threadId)
      if (thread === undefined || !life.slidesOnTouch) return thread !== undefined
      const alive = touched(thread, moment(), life)
      if (alive === undefined) return true
      const isContinued = alive.fromRunning === thread.alive?.fromRunning
      const parted = thread.alive === undefined || isContinued ? [] : entriesOf(thread)
      const kept = parted.map((entry): Change => ({ is: 'slide', id: entry.id, ...lifted(entry, life) }))
      commit([...kept, { is: 'touch', threadId, alive }], 'lazy')
      return true
    },
    revoke(id, life) {
      const entry = table.get(id)
      if (entry === undefined || table.forgets(entry, moment(), life)) return false
      return end({ is: 'revoke', id }, id, table.revoke(id))
    },
    revokeScope: (scope, id) => end({ is: 'end', scope, id }, `${scope} ${id}`, table.revokeScope(scope, id)),
    retire(threadId, blockMs) {
      const until = moment().now + blockMs
      return end({ is: 'retire', threadId, until }, threadId, table.retire(threadId, until))
    },
    list(filter, cursor, limit, life) {
      log?.assertHeld()
      return listEntries(table, filter, cursor, limit, moment(), life)
    },
    count: (life) => countEntries(table, moment(), life),
    sessionKey: () => sessionKey,
    held: () => table.size,
    close() {
      clearInterval(timer)
      log?.close()
    },
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

const WRONG_SECRET: WrongSecret = Object.freeze({ isProven: false })
const DUMMY = '\0'.repeat(32)
