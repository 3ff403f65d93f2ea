import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 200

/**
 * The lines that are appended to a file from a place on, until the signal aborts. A file that was cut, or replaced by a
 * new one under its name, is read from its beginning. Only whole lines: what a writer has begun is waited for.
 */
export async function* follow(file: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
  let handle: FileHandle | undefined = await open(file, 'r')
  let { ino } = await handle.stat()
  let position = from
  let rest = Buffer.alloc(0)
  try {
    while (!signal.aborted) {
      const { size } = await handle.stat()
      if (size < position) {
        position = 0
        rest = Buffer.alloc(0)
      }
      while (position < size) {
        const block = Buffer.alloc(Math.min(size - position, 64 * 1024))
        const { bytesRead } = await handle.read(block, 0, block.length, position)
        if (bytesRead === 0) break
        position += bytesRead
        const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)])
        const end = bytes.lastIndexOf(0x0a) + 1
        rest = bytes.subarray(end)
        for (const line of bytes.toString('utf8', 0, end).split('\n')) if (line !== '') yield line
      }
      const named = await stat(file).catch(() => undefined)
      if (named !== undefined && named.ino !== ino && position >= size) {
        await handle.close()
        handle = await open(file, 'r')
        ino = named.ino
        position = 0
        rest = Buffer.alloc(0)
      } else await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await handle?.close()
  }
}
