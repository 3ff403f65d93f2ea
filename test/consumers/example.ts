import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fencesOf } from '../docs/markdown.js'
import { root } from '../structure/workspace.js'
import { freePort } from '../support/redis-server.js'
import { isListening, type Running, until } from './program.js'
import { cleanEnvironment } from './tarballs.js'

/** The folder of the examples. */
export const examplesFolder = join(root, 'docs/examples')

/** An example, and the ports that it gets in the place of those that its files name. */
export interface Example {
  readonly name: string
  readonly ports: ReadonlyMap<string, number>
}

/** What a README says to do, and what comes of it. */
export interface Readme {
  /** The command that starts the example, with what it exports, but for the installation. */
  readonly start: string
  readonly exported: string
  readonly requests: readonly { readonly command: string; readonly answer: string }[]
}

/** Files of an example by their paths in it, those that have no text left out. */
export function filesOf(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below)).flatMap((name) => {
    const path = join(below, name)
    if (name === 'node_modules' || name === 'dist') return []
    if (statSync(join(folder, path)).isDirectory()) return filesOf(folder, path)
    return /\.(png|svg)$/.test(name) ? [] : [path]
  })
}

/** An example with a free port for each that its files name. */
export async function readExample(name: string): Promise<Example> {
  const folder = join(examplesFolder, name)
  const ports = new Map<string, number>()
  for (const file of filesOf(folder)) {
    for (const [, port = ''] of readFileSync(join(folder, file), 'utf8').matchAll(/localhost:(\d+)/g)) {
      if (!ports.has(port)) ports.set(port, await freePort())
    }
  }
  return { name, ports }
}

/** Copies it to where it is installed: as it stands, but for its ports. */
export function copyExample({ name, ports }: Example, into: string): void {
  const folder = join(into, name)
  cpSync(join(examplesFolder, name), folder, {
    recursive: true,
    filter: (path) => !path.includes('node_modules'),
  })
  for (const file of filesOf(folder)) {
    let text = readFileSync(join(folder, file), 'utf8')
    for (const [port, own] of ports) text = text.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(own))
    writeFileSync(join(folder, file), text)
  }
}

/** Reads a README: the first command starts the example, each further one is followed by its answer. */
export function readReadme(folder: string): Readme {
  const [start, ...rest] = fencesOf({ path: folder, text: readFileSync(join(folder, 'README.md'), 'utf8') })
  const lines = start?.code.split('\n') ?? []
  const requests = rest.flatMap((fence, index) => {
    if (fence.language !== 'sh') return []
    const answer = rest[index + 1]
    if (answer === undefined || answer.language === 'sh') throw new Error(`${folder}: a command without its answer`)
    return [{ command: fence.code, answer: answer.code }]
  })
  return {
    start: lines.at(-1)?.replace(/^npm install && /, '') ?? '',
    exported: lines.slice(0, -1).join('\n'),
    requests,
  }
}

/** Starts a command of an example, in a process group of its own: npm has a shell and Node below it. */
export function startCommand(folder: string, command: string, port: number, env: Record<string, string> = {}): Running {
  const child = spawn('sh', ['-c', command], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)))
  return { url: `http://localhost:${port}`, printed: () => printed, child }
}

/** Ends what `startCommand` started, all of it. */
export async function stopCommand({ child }: Running): Promise<void> {
  const closed = once(child, 'close')
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  process.kill(-child.pid, 'SIGTERM')
  await closed
}

/** Starts an installed example, by default as its README says, and waits until it listens on all of its ports. */
export async function startExample(
  into: string,
  { name, ports }: Example,
  { command = '', env = {} }: { readonly command?: string; readonly env?: Record<string, string> } = {},
): Promise<Running> {
  const folder = join(into, name)
  const { exported, start } = readReadme(folder)
  const running = startCommand(folder, `${exported}\n${command || start}`, ports.get('3000') as number, env)
  try {
    for (const port of ports.values()) {
      await until(running, () => isListening({ ...running, url: `http://localhost:${port}` }))
    }
  } catch (error) {
    await stopCommand(running)
    throw error
  }
  return running
}

/** Whether this is the answer, of which `…` stands for any text. */
export function isAnswer(expected: string, given: string): boolean {
  const parts = expected.trim().split('…')
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^\\n]*')
  return new RegExp(`^${pattern}$`).test(given.trim())
}

/** Whether a line of an answer says that something was refused. */
export const isRefusal = (line: string): boolean => /\b40[013]\b|may not use/.test(line)

/** Runs the commands of its README, and says which were answered otherwise than it says. */
export async function followReadme(
  folder: string,
  {
    env = {},
    here = (command: string) => command,
    answered = () => undefined,
  }: {
    readonly env?: Record<string, string>
    readonly here?: (command: string) => string
    /** Told of each answer as it comes. */
    readonly answered?: (answer: string) => void
  } = {},
): Promise<string[]> {
  const { exported, requests } = readReadme(folder)
  const complaints: string[] = []
  for (const { command, answer } of requests) {
    const words = ['-c', `${exported}\n${here(command)}`]
    const { stdout, stderr } = await promisify(execFile)('sh', words, {
      cwd: folder,
      env: { ...cleanEnvironment(), ...env },
      timeout: 50_000,
    })
    answered(stdout)
    if (!isAnswer(answer, stdout)) complaints.push(`${command}\nanswered\n${stdout}${stderr}\nand not\n${answer}`)
  }
  return complaints
}
