import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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
/** `20` of `v20.20.2`. */
const majorOf = (version: string): number => Number.parseInt(version.slice(1), 10)
const folderOf = (major: number) => new URL(`node${major}/`, folder)
const fileOf = ({ id }: Section, major: number) => new URL(`${id}.json`, folderOf(major))

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
  const major = majorOf(rest.node)
  mkdirSync(folderOf(major), { recursive: true })
  const head = JSON.stringify(rest).slice(0, -1)
  const lines = rows.map((row) => `  ${JSON.stringify(row, (_key, value) => rounded(value))}`)
  writeFileSync(fileOf(section, major), `${head}, "rows": [\n${lines.join(',\n')}\n]}\n`)
}

const rounded = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(5)) : value)

export function kept(section: Section, major: number): Result | undefined {
  const file = fileOf(section, major)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result) : undefined
}

/** The major versions of Node that something is kept of, the oldest first. */
export function keptMajors(): number[] {
  const names = readdirSync(folder).flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
  return names.map(Number).sort((one, other) => one - other)
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
