import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNginx } from './machine.mjs'
import { freePort } from './redis-server.js'

/** A real nginx of the test's own. `locations` are the `location` blocks of its one server. */
export class NginxServer {
  readonly port: number
  readonly child: ChildProcess
  readonly directory: string

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port
    this.child = child
    this.directory = directory
  }

  static async start(locations: string): Promise<NginxServer> {
    const binary = findNginx()
    if (binary === undefined) throw new Error('nginx is not installed: run npm test, or set NGINX')
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'countersign-nginx-'))
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => {
      mkdirSync(join(directory, name))
      return `${name}_temp_path ${join(directory, name)};`
    })
    const file = join(directory, 'nginx.conf')
    // One process: the test ends what it started, and nothing changes its user.
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${join(directory, 'pid')}; error_log stderr;
events {}
http { access_log off; ${temporary.join(' ')} server { listen 127.0.0.1:${port}; ${locations} } }
`,
    )
    const child = spawn(binary, ['-e', 'stderr', '-p', directory, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    let output = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString()}`.slice(-10_000)
    })
    let problem: string | undefined
    child.once('error', (error) => {
      problem = error.message
    })
    child.once('close', (code) => {
      problem ??= `it ended with ${code}:\n${output}`
    })
    while (problem === undefined && !(await isListening(port))) await new Promise((resolve) => setTimeout(resolve, 20))
    if (problem !== undefined) throw new Error(`nginx cannot be started: ${problem}`)
    return new NginxServer(port, child, directory)
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'close')
      this.child.kill('SIGTERM')
      await gone
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const is = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return is
}
