import { closeSync, fdatasync, fstatSync, openSync, read, readSync, stat, write } from 'node:fs'
import { promisify } from 'node:util'
import { type FileTail, readTail } from './tail.js'

const writeAsync = promisify(write)
const readAsync = promisify(read)
const statAsync = promisify(stat)
const syncAsync = promisify(fdatasync)

/** Bytes at the beginning of a file that are in no other: the first line's chain, and the line before it. */
const MARK_BYTES = 128

const NEWLINE = 0x0a

/** What happened to a file: nothing, another one (or none) has its name, or it was truncated. */
export type FileState = 'same' | 'moved' | 'cut'

/** A file that is only ever appended to, and notices when it is not the one that its path names. */
export interface AppendedFile {
  readonly tail: FileTail
  /** Appends whole lines; rejects when it may have appended a part. */
  append(lines: string): Promise<void>
  /** What happened to it since the last call. */
  check(): Promise<FileState>
  /** Whether others wrote since it was opened, as of the last look. */
  hasGrown(): boolean
  /** Whether no name is left for it. */
  isDeleted(): boolean
  sync(): Promise<void>
  close(): void
}

/** Opens a file for appending, and creates it when it is not there. Undefined when it holds something else than events. */
export function openFile(path: string): AppendedFile | undefined {
  const fd = openSync(path, 'a+', 0o600)
  let tail: FileTail | undefined
  try {
    tail = readTail(fd)
  } finally {
    if (tail === undefined) closeSync(fd)
  }
  return tail === undefined ? undefined : appendedFile(path, fd, tail)
}

function appendedFile(path: string, fd: number, tail: FileTail): AppendedFile {
  const { ino, dev } = fstatSync(fd)
  let { size, isEnded } = tail
  const start = Buffer.alloc(MARK_BYTES)
  let mark = start.toString('latin1', 0, readSync(fd, start, 0, MARK_BYTES, 0))

  /** Another process appended, and may have been killed in the middle of a line. */
  async function readEnd(position: number): Promise<void> {
    const { bytesRead, buffer } = await readAsync(fd, Buffer.alloc(1), 0, 1, position)
    isEnded = bytesRead === 0 || buffer[0] === NEWLINE
  }

  /** Another process may have appended, or the file was truncated and grew again: its first bytes tell. */
  async function isAnother(): Promise<boolean> {
    const { bytesRead, buffer } = await readAsync(fd, Buffer.alloc(MARK_BYTES), 0, MARK_BYTES, 0)
    const now = buffer.toString('latin1', 0, bytesRead)
    const known = mark
    if (mark.length < MARK_BYTES) mark = now
    return !now.startsWith(known)
  }

  return {
    tail,
    async append(lines) {
      const bytes = Buffer.from(isEnded ? lines : `\n${lines}`)
      isEnded = true
      for (let done = 0; done < bytes.length; ) done += (await writeAsync(fd, bytes, done)).bytesWritten
      size += bytes.length
    },
    async check() {
      const named = await statAsync(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
        throw error
      })
      if (named === undefined || named.ino !== ino || named.dev !== dev) return 'moved'
      if (named.size < size) return 'cut'
      if ((named.size > size || mark.length < MARK_BYTES) && (await isAnother())) return 'cut'
      if (named.size > size) await readEnd(named.size - 1)
      size = named.size
      return 'same'
    },
    hasGrown: () => size !== tail.size,
    isDeleted: () => fstatSync(fd).nlink === 0,
    sync: () => syncAsync(fd),
    close: () => closeSync(fd),
  }
}
