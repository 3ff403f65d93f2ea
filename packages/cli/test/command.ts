import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, jest } from '@jest/globals'
import { buildCommand } from './build.js'

// Each test starts many processes.
jest.setTimeout(60_000)

let build: ReturnType<typeof buildCommand>
beforeAll(() => {
  build = buildCommand()
}, 60_000)
afterAll(() => build.remove())

/** How a command ended. */
export interface Result {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunSettings {
  /** The environment, without that of the test; PATH is added. */
  readonly env?: Readonly<Record<string, string>>
  /** Standard input. Default: empty. */
  readonly input?: string | undefined
}

/** Runs `countersign` as a process, from the current sources, and waits for its end. */
export async function countersign(
  words: readonly string[],
  { env = {}, input = '' }: RunSettings = {},
): Promise<Result> {
  const child = spawnCountersign(words, env)
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A command that does not read its input may end before all of it is written.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [exitCode] = (await once(child, 'close')) as [number]
  return { exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

export function spawnCountersign(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawn(process.execPath, [build.bin, ...words], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Runs it, expects exit code 0, and returns what it printed. */
export async function succeed(words: readonly string[], settings?: RunSettings): Promise<string> {
  const result = await countersign(words, settings)
  expect(result).toMatchObject({ exitCode: 0 })
  return result.stdout
}

/** The same with `--json`. */
export async function succeedJson<T>(words: readonly string[], settings?: RunSettings): Promise<T> {
  return JSON.parse(await succeed([...words, '--json'], settings)) as T
}

/** Runs it and expects one line of error, this exit code, and nothing else. */
export async function refuse(
  words: readonly string[],
  exitCode: number,
  message: RegExp | string,
  settings?: RunSettings,
): Promise<void> {
  const result = await countersign(words, settings)
  expect(result).toEqual({ exitCode, stdout: '', stderr: expect.stringMatching(/^countersign: [^\n]+\n$/) })
  expect(result.stderr).toMatch(message)
  expect(result.stderr).not.toMatch(/\n\s+at |node:internal/)
}
