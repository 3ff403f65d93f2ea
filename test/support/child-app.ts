import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ChildApp {
  readonly url: string
  readonly process: ChildProcess
  stop(): Promise<void>
}

/** Runs a TypeScript file as a process of its own, from the packages' sources. It prints the port it listens on. */
export async function startChildApp(
  file: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<ChildApp> {
  const child = spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', file, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  // Not at its exit: what it printed may not have been read by then.
  const closed = once(child, 'close').then(([code]) => {
    throw new Error(`${file} ended with ${code}`)
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const [port] = (await Promise.race([once(lines, 'line'), closed])) as [string]
  closed.catch(() => undefined)
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
