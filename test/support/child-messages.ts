import type { ChildProcess } from 'node:child_process'

/**
 * The first message of a child process that `pick` makes something of. Rejects when the process has ended without it.
 * That is known at `close`, when the channel has been read to its end: `exit` can come before the last messages of a
 * process that sent them all, for it does not wait until the parent has read them.
 */
export function messageFrom<T>(
  child: ChildProcess,
  pick: (message: Record<string, unknown>) => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const read = (message: unknown) => {
      const value = pick(message as Record<string, unknown>)
      if (value === undefined) return
      stop()
      resolve(value)
    }
    const end = () => {
      stop()
      reject(new Error(`a child process ended with ${child.signalCode ?? child.exitCode} before it answered`))
    }
    const stop = () => child.off('message', read).off('close', end)
    child.on('message', read).on('close', end)
    // One that is closed already emits nothing but messages that were read and wait for their turn.
    const hasEnded = child.exitCode !== null || child.signalCode !== null
    if (hasEnded && !child.connected) setImmediate(end)
  })
}
