import { execFile } from 'node:child_process'

/** Runs a command-line client once; what it prints is the result. */
export function run(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [file, ...args],
      { timeout: 60_000, ...options },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    )
    child.stdin.end()
  })
}
