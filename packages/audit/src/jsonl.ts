import { randomBytes } from 'node:crypto'
import { type AuditEvent, type AuditSink, OptionError } from '@countersign/core'
import { option, resolveOptions, warnOnce } from '@countersign/core/gate-kit'
import { type ChainEnd, chainLine, GENESIS } from './jsonl/chain.js'
import { type AppendedFile, type FileState, openFile } from './jsonl/file.js'

export type { JsonlChain, JsonlVerification, VerifyJsonlOptions } from './jsonl/verify.js'
export { verifyJsonl } from './jsonl/verify.js'

/** Options of {@link jsonl}. */
export interface JsonlOptions {
  /** Waits for the disk after each write, so that a power cut loses nothing that was reported written. Default false. */
  readonly syncEachWrite?: boolean
  /**
   * Told the hash of the last line, every `headSeconds` while events come, before another file is begun and at the end. Keep
   * it where who can write the file cannot: `verifyJsonl(path, { expect })` then finds a file that was cut.
   */
  readonly onHead?: (head: { readonly chain: string; readonly hash: string }) => void
  /** Seconds. Default 60. */
  readonly headSeconds?: number
}

/** A sink that appends to a file, and its chain's last hash. */
export interface JsonlSink extends AuditSink {
  readonly name: 'jsonl'
  /** The hash of the last line: note it elsewhere, and `verifyJsonl(path, { expect })` finds a file that was cut. */
  readonly head: string
  writeMany(events: readonly AuditEvent[]): Promise<void>
  flush(): Promise<void>
  close(): Promise<void>
}

interface Batch {
  readonly events: AuditEvent[]
  readonly written: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const RULES = {
  syncEachWrite: option.boolean().default(false),
  onHead: option.func<NonNullable<JsonlOptions['onHead']>>(),
  headSeconds: option.integer(1, 86_400).default(60),
}

/** A file that is moved or cut after every one of so many writes is no place for an audit. */
const ATTEMPTS = 5

/**
 * An append-only file with one event per line (JSON Lines); each line carries the hash of the line before it. Events that
 * wait are written at once, and `write` resolves when the line is in the file that has this path. Several processes may
 * write one file: each has a chain of its own in it. After a rotation, by renaming or by truncating, the path is opened
 * again, and what went to a file that nobody has any more is written again.
 *
 * @throws {OptionError} at creation, when the file cannot be opened or is not an audit file.
 * @example
 * audit.subscribe(jsonl('/var/log/app/audit.jsonl'), { required: true })
 */
export function jsonl(path: string, options: JsonlOptions = {}): JsonlSink {
  const { syncEachWrite, onHead, headSeconds } = resolveOptions('jsonl', options, RULES)
  let file = openFirst(path)
  let end = newChain(file)
  let head = file.tail.head
  /** Whether it was looked at after the write before this one. */
  let isChecked = false
  /** How much of a write that failed is in the file is not known. */
  let isDoubtful = false
  let published = head
  let publishing: NodeJS.Timeout | undefined
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
        await writeBatch(batch.events)
        batch.resolve()
      } catch (error) {
        isDoubtful = true
        batch.reject(error)
      }
    }
    isChecked = false
    // In the same tick in which nothing was pending: an event that comes after it starts the work again.
    working = undefined
  }

  async function writeBatch(events: readonly AuditEvent[]): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const open = await current()
      const { lines, last } = chainLines(events, end)
      await open.append(lines)
      if (syncEachWrite) await open.sync()
      const state = await open.check()
      isChecked = state === 'same'
      // Renamed, it is where the rotation put it. Deleted or truncated, nobody may have what was written.
      if (isChecked || (state === 'moved' && !open.isDeleted())) {
        end = { chain: end.chain, previous: last }
        head = last
        schedule()
        return
      }
      begin(state)
    }
    throw new Error(`${path} was moved or truncated during each of ${ATTEMPTS} writes`)
  }

  /** The file that has the path now, and a chain whose next line follows there. */
  async function current(): Promise<AppendedFile> {
    const state = isChecked && !isDoubtful ? 'same' : await file.check()
    // The first line of a chain names the last one of the file, however long ago it was opened.
    const isOutrun = end.previous === file.tail.head && file.hasGrown()
    return state === 'same' && !isDoubtful && !isOutrun ? file : begin(state)
  }

  /** Opens what has the path now, and starts a chain in it. When it cannot be opened, all is left as it was. */
  function begin(state: FileState): AppendedFile {
    const opened = openFile(path)
    if (opened === undefined) throw new Error(`${path} no longer holds audit events`)
    leave()
    const isNoted = head === GENESIS || head === opened.tail.head
    end = newChain(opened, state === 'same' ? end.after : isNoted ? undefined : head)
    file = opened
    isChecked = false
    isDoubtful = false
    return opened
  }

  function leave(): void {
    publish()
    file.close()
  }

  function schedule(): void {
    if (onHead !== undefined) publishing ??= setTimeout(publish, headSeconds * 1000).unref()
  }

  function publish(): void {
    clearTimeout(publishing)
    publishing = undefined
    if (onHead === undefined || published === head) return
    published = head
    void (async () => onHead({ chain: end.chain, hash: head }))().catch(() => {
      const message = 'The audit sink "jsonl" did not publish its head: onHead failed'
      warnOnce({ code: 'COUNTERSIGN_AUDIT_SINK_FAILED', cause: 'onHead', message })
    })
  }

  async function flush(): Promise<void> {
    await working
    if (!isClosed) await file.sync()
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
      leave()
    },
  }
}

function chainLines(events: readonly AuditEvent[], from: ChainEnd): { readonly lines: string; readonly last: string } {
  let end = from
  let lines = ''
  for (const event of events) {
    const { line, hash } = chainLine(event, end)
    lines += line
    end = { chain: end.chain, previous: hash }
  }
  return { lines, last: end.previous }
}

function newChain({ tail }: AppendedFile, after?: string): ChainEnd {
  return { chain: randomBytes(8).toString('hex'), previous: tail.head, after }
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

function openFirst(path: string): AppendedFile {
  const refuse = (why: string) => new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'path', `jsonl: ${why}`)
  if (typeof path !== 'string' || path === '') throw refuse('option "path" must be the path of a file')
  let file: AppendedFile | undefined
  try {
    file = openFile(path)
  } catch (error) {
    throw refuse(`${path} cannot be opened (${(error as NodeJS.ErrnoException).code}): it must be a writable file`)
  }
  if (file === undefined) throw refuse(`${path} contains something other than audit events: name another file`)
  return file
}
