import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Room for a million records of ours and of a peer at once. */
const FLAGS = ['--expose-gc', '--max-old-space-size=8192', '--no-warnings', '--import', 'tsx']

/** A process of this benchmark that answers each message with one. */
export interface Answerer {
  ask<T>(question: unknown): Promise<T>
  end(): Promise<void>
}

export function startProcess(file: string): Answerer {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: FLAGS,
    serialization: 'advanced',
  })
  // Not at its exit: its last answer may not have been read by then.
  const closed = once(child, 'close')
  const failed = closed.then(([code]) => {
    throw new Error(`${file}, a process of the benchmark, ended with ${code}`)
  })
  failed.catch(() => undefined)
  return {
    async ask<T>(question: unknown) {
      const answer = once(child, 'message') as Promise<[T]>
      child.send(question as object)
      return (await Promise.race([answer, failed]))[0]
    },
    async end() {
      // The answers are here, and Node tells of no 'close' where the parent has disconnected.
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

/** Asks a fresh process one question. */
export async function askFreshProcess<T>(file: string, question: unknown): Promise<T> {
  const child = startProcess(file)
  try {
    return await child.ask<T>(question)
  } finally {
    await child.end()
  }
}

/** In the process that was started: answers until its parent is done with it. */
export function answerWith<Q>(answer: (question: Q) => unknown): void {
  process.on('message', async (question: Q) => {
    try {
      process.send?.(await answer(question))
    } catch (error) {
      console.error(error)
      process.exit(1)
    }
  })
  process.on('disconnect', () => process.exit())
}
