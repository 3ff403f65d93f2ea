import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPostgres } from './machine.mjs'
import { freePort } from './redis-server.js'

const run = promisify(execFile)

/** PostgreSQL refuses to run as root: there it runs as one of these, whom the machine has. */
const USERS = ['postgres', 'nobody']

interface Owner {
  readonly uid?: number
  readonly gid?: number
}

async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {}
  for (const user of USERS) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, user])).stdout)),
      )
      if (uid !== undefined && gid !== undefined) return { uid, gid }
    } catch {}
  }
  throw new Error(`PostgreSQL does not run as root, and the machine has none of the users ${USERS.join(', ')}`)
}

/** A real PostgreSQL server of the test's own, on a port of its own, with its data in a folder of its own. */
export class PostgresServer {
  #child: ChildProcess | undefined

  readonly port: number
  readonly directory: string
  readonly binaries: string
  readonly owner: Owner

  private constructor(port: number, directory: string, binaries: string, owner: Owner) {
    this.port = port
    this.directory = directory
    this.binaries = binaries
    this.owner = owner
  }

  static async start(): Promise<PostgresServer> {
    const binaries = findPostgres()
    if (binaries === undefined) throw new Error('PostgreSQL is not installed: run npm test, or set POSTGRES_BIN')
    const owner = await findOwner()
    const directory = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
    if (owner.uid !== undefined) chownSync(directory, owner.uid, owner.gid ?? owner.uid)
    const data = ['-D', directory, '-U', 'countersign', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale', 'C']
    await run(join(binaries, 'initdb'), data, { ...owner, cwd: '/' })
    const server = new PostgresServer(await freePort(), directory, binaries, owner)
    await server.#spawn()
    return server
  }

  get url(): string {
    return `postgres://countersign@127.0.0.1:${this.port}/postgres`
  }

  async #spawn(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${this.directory}`, 'fsync=off']
    const words = ['-D', this.directory, '-p', String(this.port), ...settings.flatMap((setting) => ['-c', setting])]
    const child = spawn(join(this.binaries, 'postgres'), words, {
      ...this.owner,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child = child
    let output = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString()}`.slice(-10_000)
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`PostgreSQL cannot be started: ${error.message}`)))
      child.once('close', (code) => reject(new Error(`PostgreSQL ended with ${code}:\n${output}`)))
      child.stderr?.on('data', () => {
        if (output.includes('ready to accept connections')) resolve()
      })
    })
    child.removeAllListeners('close')
  }

  /** Signals the server and the processes of its connections, which are not of its process group. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined || !this.#isRunning()) return
    for (const one of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(one, signal)
      } catch {
        // It ended a moment ago.
      }
    }
  }

  #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** SIGSTOP: the kernel still accepts connections and bytes, nothing answers. */
  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** An immediate shutdown, as a crash: connections are cut, the next start recovers. Waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.#isRunning()) return
    const gone = once(child, 'exit')
    this.resume()
    child.kill('SIGQUIT')
    await gone
    this.#child = undefined
    while (await isListening(this.port)) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** Starts it again on the same port and data, after `kill`. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#spawn()
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
    const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
    return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []))
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
