import {
  closeSync,
  constants,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { sha256 } from '../digest.js'
import { withPage } from '../homepage.js'
import { linesOf } from './file-lines.js'
import { type FileLock, takeFileLock } from './file-lock.js'
import { syncFolderOf } from './sync-folder.js'
import { UnavailableError } from './unavailable-error.js'

/** When what is acknowledged is on disk: before that (`always`), or when the system writes it. */
export type FsyncPolicy = 'always' | 'never'

/** Options of {@link openFileLog}. A change is an object without a member `generation`: that is the log's own. */
export interface FileLogOptions<C extends object> {
  /** The log's path; beside it lie `.head`, `.lock` while it is open, and `.new` while it is compacted. */
  readonly file: string
  /** What the changes are of, and in which version: `mcp-credentials/1`. A log of another one is refused. */
  readonly format: string
  /** What an `UnavailableError` calls it. */
  readonly dependency: string
  /** `always` survives a loss of power, `never` only the end of the process, by `kill -9` too. */
  readonly fsync: FsyncPolicy
  /** Applies a change of the log; false when it knows no such change. */
  readonly replay: (change: C) => boolean
  /** The changes that lead to the state of now: what a compacted log begins with. */
  readonly state: () => Iterable<C>
}

/** An open log. Each method throws an `UnavailableError` when it cannot do it. */
export interface FileLog<C extends object> {
  /**
   * Appends changes, as JSON. Those that are `acknowledged` are on disk, by the policy, when it returns; one that is not
   * may be missing after a loss of power.
   */
  append(changes: readonly C[], durability: 'acknowledged' | 'lazy'): void
  /** Throws when the log is not this process's any more. Costs nothing; `compact` and `append` notice it. */
  assertHeld(): void
  /** Writes the log again, without what is over, when it grew fourfold. */
  compact(): void
  close(): void
}

/** What is wrong with a log that is there. */
export class FileLogError extends Error {
  override readonly name = 'FileLogError'
  readonly code: 'ERR_COUNTERSIGN_LOG_INVALID' | 'ERR_COUNTERSIGN_LOG_IN_USE'

  constructor(code: FileLogError['code'], message: string) {
    super(withPage(message, code))
    this.code = code
  }
}

/** Where a log ends, by its head: what was acknowledged is not beyond it. */
interface Head {
  /** Of the log: each compaction makes the next one. */
  readonly generation: number
  readonly lines: number
  /** Of the last line. */
  readonly chain: string
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants
const EMPTY: Head = { generation: 0, lines: 0, chain: '0'.repeat(16) }
const HEAD = /^(\d{15}) (\d{15}) ([0-9a-f]{16})\n$/
const LINE = /^([0-9a-f]{16}) (.*)$/s
const CHANGES_PER_WRITE = 1000
const LEAST_GROWTH = 1_048_576
const GROWTH = 4

/**
 * Opens an append-only log, replays it and writes it again; creates it when there is none. A line carries a hash of itself
 * and all lines before it, and the head file says how far the log must reach: what is damaged, missing or older is an error.
 * Only a last line that a crash cut off, and that nobody acknowledged, is dropped.
 *
 * @throws {FileLogError} when the log is not whole, or another process has it open.
 * @throws {UnavailableError} when the file system refuses.
 */
export function openFileLog<C extends object>(options: FileLogOptions<C>): FileLog<C> {
  const { file, format, dependency, fsync, replay, state } = options
  const lock = io(() => takeFileLock(`${file}.lock`))
  if (typeof lock === 'number') {
    const who = lock === process.pid ? 'this process' : `the process ${lock}`
    const remedy = `Give each process its own file; if ${who} is not such a process, remove ${file}.lock`
    throw new FileLogError('ERR_COUNTERSIGN_LOG_IN_USE', `${file} is already open in ${who}. ${remedy}`)
  }
  let log: number | undefined
  let headFile: number | undefined
  let acknowledged = EMPTY
  let end = EMPTY
  let size = 0
  let compactAt = 0
  /** What the last write left is not known. */
  let isTorn = false
  let isUnsynced = false
  let isLost = false
  let isClosed = false

  function io<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof FileLogError || cause instanceof UnavailableError) throw cause
      if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause
      throw new UnavailableError(dependency, `the log cannot be written: ${(cause as Error).message}`, { cause })
    }
  }

  function invalid(why: string): FileLogError {
    const remedy = 'Nothing was read. Restore the whole log, or remove it and its head to start empty'
    return new FileLogError('ERR_COUNTERSIGN_LOG_INVALID', `${file} ${why}. ${remedy}`)
  }

  function assertHeld(): void {
    if (isLost) throw new UnavailableError(dependency, `${file} was closed, removed, or taken over by another process`)
  }

  function checkHeld(): void {
    isLost ||= !(lock as FileLock).isHeld() || (log !== undefined && fstatSync(log).nlink === 0)
    assertHeld()
  }

  function acknowledge(head: Head): void {
    const fields = [head.generation, head.lines].map((number) => String(number).padStart(15, '0'))
    writeSync(headFile as number, `${fields.join(' ')} ${head.chain}\n`, 0)
    acknowledged = head
  }

  /** Reads the log, and drops what its end has of a line that nobody acknowledged. */
  function read(): void {
    headFile = openRegular(`${file}.head`, O_CREAT)
    const text = readFileSync(headFile, 'latin1')
    const head = HEAD.exec(text)
    if (head !== null) acknowledged = { generation: Number(head[1]), lines: Number(head[2]), chain: head[3] as string }
    log = openRegular(file)
    if (log === undefined && acknowledged.generation > 0) throw invalid('is missing')
    // A start that a loss of power interrupted may leave a head without a text.
    const isBlank = /^\0*$/.test(text)
    if (head === null && (log !== undefined || !isBlank)) throw invalid('has no head, or a damaged one')
    if (log === undefined) return acknowledge(EMPTY)
    const opening = readLines(log)
    const { generation, lines, chain } = acknowledged
    const isNext = opening.follows === chain && opening.generation === generation + 1
    if (opening.generation !== generation && !isNext)
      throw invalid('is not as old as its head: another copy was restored')
    if (!isNext && end.lines < lines) throw invalid(`lacks ${lines - end.lines} of its lines`)
    if (!isNext && opening.chainAt !== chain) throw invalid('is not the log that its head belongs to')
    // What this reads may be in the system's memory alone.
    fdatasyncSync(log)
    acknowledge({ ...end, generation: opening.generation })
  }

  function readLines(fd: number): { generation: number; follows: string; chainAt: string } {
    const { lines: acknowledgedLines } = acknowledged
    let opening = { generation: 0, follows: '' }
    let chainAt = ''
    for (const { text, isLast } of linesOf(fd)) {
      const [, chain, json = ''] = LINE.exec(text) ?? []
      const number = end.lines + 1
      if (chain !== chainOf(end.chain, json)) {
        if (isLast && end.lines >= acknowledgedLines && opening.generation > 0) break
        throw invalid(`is damaged in line ${number}, or is not a log of this version`)
      }
      const change = JSON.parse(json)
      if (number === 1 && change.log !== format) throw invalid(`is a log of ${change.log}, not of ${format}`)
      if (change.generation !== undefined) opening = change
      else if (number > 1 && !replay(change)) throw invalid(`has an unknown change in line ${number}`)
      end = { ...end, lines: number, chain }
      if (number === acknowledgedLines) chainAt = chain
    }
    if (opening.generation === 0) throw invalid('ends before its state does')
    return { ...opening, chainAt }
  }

  /** Writes the state to a new log, which takes the place of the old one when it is whole. */
  function rewrite(): void {
    const generation = acknowledged.generation + 1
    rmSync(`${file}.new`, { force: true })
    const next = openSync(`${file}.new`, O_CREAT | O_EXCL | O_RDWR, 0o600)
    try {
      const writer = writerOf(next)
      writer.write([{ log: format }])
      writer.write(state())
      writer.write([{ generation, follows: acknowledged.chain }])
      fsyncSync(next)
      // After a loss of power the head is this log's or that of the one before.
      fdatasyncSync(headFile as number)
      checkHeld()
      renameSync(`${file}.new`, file)
      if (log !== undefined) closeSync(log)
      log = next
      end = { generation, lines: writer.lines, chain: writer.chain }
      size = writer.size
    } catch (error) {
      closeSync(next)
      rmSync(`${file}.new`, { force: true })
      throw error
    }
    isTorn = false
    isUnsynced = true
    compactAt = GROWTH * size + LEAST_GROWTH
    syncFolderOf(file)
    acknowledge(end)
    isUnsynced = false
  }

  function append(changes: readonly C[], durability: 'acknowledged' | 'lazy'): void {
    assertHeld()
    io(() => {
      // After an fsync that failed, the system may have forgotten what it could not write.
      if (isUnsynced) rewrite()
      if (isTorn) ftruncateSync(log as number, size)
      isTorn = true
      const writer = writerOf(log as number, end, size)
      writer.write(changes)
      isTorn = false
      end = { ...end, lines: writer.lines, chain: writer.chain }
      size = writer.size
      // A change that is refused here has its lines in the log already: without this, a restart would make it.
      isUnsynced = durability === 'acknowledged'
      if (isUnsynced && fsync === 'always') fdatasyncSync(log as number)
      // Who takes the log over reads it after that: it has this line, or this is refused.
      checkHeld()
      if (isUnsynced) acknowledge(end)
      isUnsynced = false
    })
  }

  function close(): void {
    if (isClosed) return
    isClosed = true
    isLost = true
    if (log !== undefined) closeSync(log)
    if (headFile !== undefined) closeSync(headFile)
    ;(lock as FileLock).release()
  }

  try {
    io(read)
    io(rewrite)
  } catch (error) {
    close()
    throw error
  }
  return {
    append,
    assertHeld,
    compact() {
      if (isLost) return
      io(checkHeld)
      if (size < compactAt) return
      // For want of room the log grows on; it is tried again when it is half as long again.
      compactAt = size + Math.ceil(size / 2)
      io(rewrite)
    },
    close() {
      try {
        if (!isLost) io(() => fsync === 'always' && fdatasyncSync(log as number))
      } finally {
        close()
      }
    },
  }
}

/** Opens a file that is no link, no folder and no pipe; undefined when there is none. */
function openRegular(path: string, flags: typeof O_CREAT): number
function openRegular(path: string): number | undefined
function openRegular(path: string, flags = 0): number | undefined {
  try {
    const fd = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | flags, 0o600)
    if (fstatSync(fd).isFile()) {
      fchmodSync(fd, 0o600)
      return fd
    }
    closeSync(fd)
    throw new FileLogError('ERR_COUNTERSIGN_LOG_INVALID', `${path} is not a file`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && flags === 0) return undefined
    throw error
  }
}

/** Writes lines at the end of a log. */
function writerOf(fd: number, { lines, chain } = EMPTY, size = 0) {
  const writer = { lines, chain, size, write }

  function flush(text: string): void {
    const bytes = Buffer.from(text)
    // `write` may write only a part.
    for (let done = 0; done < bytes.length; )
      done += writeSync(fd, bytes, done, bytes.length - done, writer.size + done)
    writer.size += bytes.length
  }

  function write(changes: Iterable<unknown>): void {
    let text = ''
    let waiting = 0
    for (const change of changes) {
      const json = JSON.stringify(change)
      writer.chain = chainOf(writer.chain, json)
      text += `${writer.chain} ${json}\n`
      writer.lines += 1
      waiting += 1
      if (waiting < CHANGES_PER_WRITE) continue
      flush(text)
      text = ''
      waiting = 0
    }
    flush(text)
  }

  return writer
}

function chainOf(previous: string, json: string): string {
  return sha256(previous + json).toString('hex', 0, 8)
}
