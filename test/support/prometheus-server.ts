import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPrometheus } from './machine.mjs'
import { freePort } from './redis-server.js'

function binary(name: 'prometheus' | 'promtool'): string {
  const folder = findPrometheus()
  if (folder === undefined) throw new Error('Prometheus is not installed: run npm test, or set PROMETHEUS_BIN')
  return join(folder, name)
}

/** What `promtool` says, and whether it is content. */
export function promtool(...words: readonly string[]): { readonly isContent: boolean; readonly output: string } {
  const done = spawnSync(binary('promtool'), words, { encoding: 'utf8', timeout: 60_000 })
  if (done.error) throw done.error
  return { isContent: done.status === 0, output: `${done.stdout}${done.stderr}` }
}

/** One series of an answer to a query. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

/** A rule as Prometheus has loaded it. */
export interface LoadedRule {
  readonly name: string
  readonly query: string
  /** Seconds. */
  readonly duration: number
  readonly state: 'inactive' | 'pending' | 'firing'
  readonly health: string
  readonly lastError?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** What a test's Prometheus scrapes, and by which rules it alerts. */
export interface PrometheusSetup {
  /** `host:port` of apps. */
  readonly targets: readonly string[]
  /** Paths of files. */
  readonly rules: readonly string[]
}

/** A real Prometheus of the test's own. It scrapes and evaluates several times a second. */
export class PrometheusServer {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #url: string

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.#child = child
    this.#directory = directory
    this.#url = `http://127.0.0.1:${port}`
  }

  static async start({ targets, rules }: PrometheusSetup): Promise<PrometheusServer> {
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'countersign-prometheus-'))
    const file = join(directory, 'prometheus.yml')
    // JSON is YAML.
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '300ms' },
      rule_files: rules,
      scrape_configs: [{ job_name: 'app', static_configs: [{ targets }] }],
    }
    writeFileSync(file, JSON.stringify(config))
    const options = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`, '--log.level=warn']
    const child = spawn(binary('prometheus'), [...options, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
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
    const server = new PrometheusServer(child, directory, port)
    while (problem === undefined && !(await server.#isReady())) await new Promise((next) => setTimeout(next, 50))
    if (problem !== undefined) throw new Error(`Prometheus cannot be started: ${problem}`)
    return server
  }

  /** What a query returns now. */
  async query(query: string): Promise<readonly Series[]> {
    const { result } = (await this.#ask(`query?${new URLSearchParams({ query })}`)) as {
      result: { metric: Series['metric']; value: [number, string] }[]
    }
    return result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }))
  }

  /** The rules that it has loaded. */
  async rules(): Promise<readonly LoadedRule[]> {
    const { groups } = (await this.#ask('rules')) as { groups: { rules: LoadedRule[] }[] }
    return groups.flatMap(({ rules }) => rules)
  }

  async #ask(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}`)
    const { status, error, data } = (await response.json()) as { status: string; error?: string; data: unknown }
    if (status !== 'success') throw new Error(`Prometheus: ${path}: ${error}`)
    return data
  }

  async #isReady(): Promise<boolean> {
    const response = await fetch(`${this.#url}/-/ready`).catch(() => undefined)
    await response?.arrayBuffer()
    return response?.status === 200
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'close')
      this.#child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
