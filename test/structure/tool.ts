import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './workspace.js'

/** How a tool ended, and what it printed. */
export interface ToolRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs an installed tool of the tests in a process of its own, with this very Node. */
export function runTool(entry: string, args: readonly string[], folder = root): ToolRun {
  const command = join(root, 'test', 'node_modules', entry)
  const done = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', FORCE_COLOR: undefined },
    maxBuffer: 64 * 1024 * 1024,
  })
  if (done.error) throw done.error
  return done
}
