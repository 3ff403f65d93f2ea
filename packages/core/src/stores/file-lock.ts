import { closeSync, constants, fstatSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'

/** A lock that one process holds. */
export interface FileLock {
  /** False when its file is gone: somebody removed it, or took it over. */
  isHeld(): boolean
  release(): void
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/**
 * Takes the lock of a file, which ends with the process that holds it. A lock that a killed process left is removed, and
 * so is one of a process that cannot be seen, in another container: that one finds that it holds it no more.
 *
 * @returns the lock, or the number of the running process that holds it.
 * @throws the file system's error.
 */
export function takeFileLock(path: string): FileLock | number {
  for (;;) {
    const fd = create(path)
    if (fd !== undefined) {
      writeSync(fd, `${process.pid} ${statusOf(process.pid)?.started ?? ''}\n`)
      return {
        isHeld: () => fstatSync(fd).nlink > 0,
        release() {
          if (fstatSync(fd).nlink > 0) rmSync(path, { force: true })
          closeSync(fd)
        },
      }
    }
    const holder = runningHolder(path)
    if (holder !== undefined) return holder
    rmSync(path, { force: true })
  }
}

/** Undefined when the file is there. */
function create(path: string): number | undefined {
  try {
    return openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
}

function runningHolder(path: string): number | undefined {
  const [pid = 0, started = ''] = readHolder(path).split(/\s/)
  if (!(Number(pid) > 0)) return undefined
  const status = statusOf(Number(pid))
  // The number may be another process's by now: the time of its start tells, where the system says it.
  const isRunning = started === '' ? answers(Number(pid)) : status?.started === started && !status.isDead
  return isRunning ? Number(pid) : undefined
}

function readHolder(path: string): string {
  try {
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      return readFileSync(fd, 'latin1')
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** When a process was started, in ticks since the boot, and whether it ended and only its parent has not noticed (Linux). */
function statusOf(pid: number): { readonly started: string; readonly isDead: boolean } | undefined {
  try {
    // proc(5): the name may hold anything; state is the first field behind it, starttime the twentieth.
    const [state = '', ...fields] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return { started: fields[18] ?? '', isDead: 'ZX'.includes(state) }
  } catch {
    return undefined
  }
}

function answers(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
