import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Options, Row, Section } from '../row.js'

/** What was measured of one section, and on what. Kept, since a whole run takes long and a section can be repeated. */
export interface Result {
  readonly measuredOn: string
  readonly machine: string
  readonly node: string
  readonly redis: string
  readonly processes: number
  readonly rounds: number
  readonly rows: readonly Row[]
}

const folder = new URL('../results/', import.meta.url)
const fileOf = ({ id }: Section) => new URL(`${id}.json`, folder)

function redisVersion(): string {
  const told = execFileSync(process.env.REDIS_SERVER ?? 'redis-server', ['--version'], { encoding: 'utf8' })
  return /v=(\S+)/.exec(told)?.[1] ?? 'unknown'
}

export function resultOf(rows: readonly Row[], { processes, rounds }: Options): Result {
  const all = cpus()
  return {
    measuredOn: new Date().toISOString().slice(0, 10),
    machine: `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`,
    node: process.version,
    redis: redisVersion(),
    processes,
    rounds,
    rows,
  }
}

/** JSON with a row a line, so that a change of one figure reads as one. */
export function keep(section: Section, { rows, ...rest }: Result): void {
  mkdirSync(folder, { recursive: true })
  const head = JSON.stringify(rest).slice(0, -1)
  const lines = rows.map((row) => `  ${JSON.stringify(row, (_key, value) => rounded(value))}`)
  writeFileSync(fileOf(section), `${head}, "rows": [\n${lines.join(',\n')}\n]}\n`)
}

const rounded = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(5)) : value)

export function kept(section: Section): Result | undefined {
  return existsSync(fileOf(section)) ? (JSON.parse(readFileSync(fileOf(section), 'utf8')) as Result) : undefined
}

interface Manifest {
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
}

/** The peers and their versions, as they are installed. */
export function peerVersions(): string[] {
  const read = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')) as Manifest
  return Object.keys(read('package.json').devDependencies)
    .filter((name) => !/^(@countersign|@types)\/|^(raw-body|tsx)$/.test(name))
    .map((name) => `${name} ${read(`node_modules/${name}/package.json`).version}`)
}
