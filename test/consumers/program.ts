import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { cleanEnvironment } from './tarballs.js'

/** A program that runs, and what it has printed so far. */
export interface Running {
  readonly url: string
  printed(): string
  readonly child: ChildProcess
}

/** Starts a compiled file of a consumer, which listens on this port. */
export function startProgram(folder: string, file: string, port: number, env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)))
  return { url: `http://localhost:${port}`, printed: () => printed, child }
}

/** Waits until it is so, or the program ends. */
export async function until({ child, printed }: Running, isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}:\n${printed()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Whether something listens where the program should. */
export async function isListening({ url }: Running): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), 'localhost')
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isOpen
}

/** Ends the program, and waits until it is gone. */
export async function stopProgram({ child }: Running): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await once(child, 'exit')
}

/** The header that a program of the pages prints for its agent. */
export async function printedAuthorization(running: Running): Promise<string> {
  const authorization = () => /^Bearer \S+$/m.exec(running.printed())?.[0]
  await until(running, () => authorization() !== undefined)
  return authorization() as string
}
