import { closeSync, fdatasync, fstat, openSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { type AuditEvent, type AuditSink, OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { chainLine } from './jsonl/chain.js'
import { type ChainTail, readTail } from './jsonl/tail.js'

export type { JsonlVerification, VerifyJsonlOptions } from './jsonl/verify.js'
export { verifyJsonl } from './jsonl/verify.js'

/** Options of {@link jsonlSink}. */
export interface JsonlOptions {
  /** Waits for the disk after each write, so that a power cut loses nothing that was reported written. Default false. */
  readonly syncEachWrite?: boolean
}

/** A sink that appends to a file, and its chain's last hash. */
export interface JsonlSink extends AuditSink {
  readonly name: 'jsonl'
  /** The hash of the last line: note it elsewhere, and `verifyJsonl(path, { head })` finds a file that was cut. */
  readonly head: string
  flush(): Promise<void>
  close(): Promise<void>
}

interface Batch {
  readonly events: AuditEvent[]
  readonly written: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const RULES = { syncEachWrite: option.boolean().default(false) }
const writeAsync = promisify(write)
const statAsync = promisify(fstat)
const syncAsync = promisify(fdatasync)

/**
 * An append-only file with one event per line (JSON Lines); each line carries the hash of the line before it. The chain of
 * an existing file is continued, also after a crash in the middle of a line. `write` resolves when the line is in the
 * file. One file per process: when another process appended to it or truncated it, the next write fails and says so.
 *
 * @throws {OptionError} at creation, when the file cannot be opened or is not an audit file.
 * @example
 * audit.subscribe(jsonl('/var/log/app/audit.jsonl'), { required: true })
 */
export function jsonl(path: string, options: JsonlOptions = {}): JsonlSink {
  const { syncEachWrite } = resolveOptions('jsonl', options, RULES)
  const { fd, tail: found } = openChain(path)
  let tail: ChainTail | undefined = found
  let head = found.head
  let pending: Batch | undefined
  let working: Promise<void> | undefined
  let isClosed = false

  function append(events: readonly AuditEvent[]): Promise<void> {
    if (isClosed) return Promise.reject(new Error('the audit file is closed'))
    pending ??= newBatch()
    pending.events.push(...events)
    const { written } = pending
    working ??= work()
    return written
  }

  async function work(): Promise<void> {
    // Events of one tick are one write.
    await undefined
    for (let batch = pending; batch !== undefined; batch = pending) {
      pending = undefined
      try {
        tail = await writeBatch(tail ?? reread(), batch.events)
        head = tail.head
        batch.resolve()
      } catch (error) {
        // How much of it is in the file is not known: the next write looks where the chain ends.
        tail = undefined
        batch.reject(error)
      }
    }
    // In the same tick in which nothing was pending: an event that comes after it starts the work again.
    working = undefined
  }

  function reread(): ChainTail {
    const now = readTail(fd)
    if (now === undefined) throw new Error(`${path} no longer holds audit events`)
    return now
  }

  async function writeBatch(from: ChainTail, events: readonly AuditEvent[]): Promise<ChainTail> {
    const { size } = await statAsync(fd)
    if (size !== from.size) throw new Error(`${path} was changed by another: it has ${size} bytes, not ${from.size}`)
    const lines = from.isEnded ? [] : ['\n']
    let last = from.head
    for (const event of events) {
      const { line, hash } = chainLine(event, last)
      lines.push(line)
      last = hash
    }
    const bytes = Buffer.from(lines.join(''))
    for (let done = 0; done < bytes.length; ) done += (await writeAsync(fd, bytes, done)).bytesWritten
    if (syncEachWrite) await syncAsync(fd)
    return { head: last, size: size + bytes.length, isEnded: true }
  }

  async function flush(): Promise<void> {
    await working
    if (!isClosed) await syncAsync(fd)
  }

  return {
    name: 'jsonl',
    get head() {
      return head
    },
    write: (event) => append([event]),
    writeMany: append,
    flush,
    async close() {
      if (isClosed) return
      isClosed = true
      await working
      closeSync(fd)
    },
  }
}

function newBatch(): Batch {
  let resolve: () => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const written = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { events: [], written, resolve, reject }
}

function openChain(path: string): { fd: number; tail: ChainTail } {
  const refuse = (why: string) => new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'path', `jsonl: ${why}`)
  if (typeof path !== 'string' || path === '') throw refuse('option "path" must be the path of a file')
  let fd: number
  try {
    fd = openSync(path, 'a+', 0o600)
  } catch (error) {
    throw refuse(`${path} cannot be opened (${(error as NodeJS.ErrnoException).code}): it must be a writable file`)
  }
  let tail: ChainTail | undefined
  try {
    tail = readTail(fd)
  } finally {
    if (tail === undefined) closeSync(fd)
  }
  if (tail === undefined) throw refuse(`${path} holds something else than audit events: name another file`)
  return { fd, tail }
}
