import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Options, Row, Section } from '../row.js'

/** What was measured of one section, and on what. Kept, since a whole run takes long and a section can be repeated. */
export interface Result {
  readonly measuredOn: string
  /** The commit of the last change of what is measured, or of how. */
  readonly commit: string
  readonly machine: string
  readonly node: string
  readonly redis: string
  readonly processes: number
  readonly rounds: number
  readonly rows: readonly Row[]
}

const folder = new URL('../results/', import.meta.url)
/** `20` of `v20.20.2`. */
export const majorOf = (version: string): number => Number.parseInt(version.slice(1), 10)

/** What figures depend on: what is told of them does not belong to it. */
const MEASURED = [
  'packages/*/src/*',
  'pnpm-lock.yaml',
  'test/bench',
  ...['results', 'report', 'notes.md'].map((path) => `:(exclude)test/bench/${path}`),
]

function git(...words: string[]): string {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  return execFileSync('git', [...words, '--', ...MEASURED], { cwd: root, encoding: 'utf8' }).trim()
}

/** The commit that is measured. Throws when there are changes that no commit has: nobody could measure them again. */
export function buildOf(): string {
  const changed = git('status', '--porcelain')
  if (changed !== '') throw new Error(`What is kept is kept of a commit. Commit first:\n${changed}`)
  return git('log', '-1', '--format=%h', '--abbrev=12')
}

/** The one build that all of these are of. Throws when there are two: figures of two builds may not be compared. */
export function oneBuild(results: readonly Pick<Result, 'commit' | 'node'>[]): string | undefined {
  const commits = [...new Set(results.map(({ commit }) => commit))]
  if (commits.length <= 1) return commits[0]
  const told = results.map(({ commit, node }) => `${commit} (Node ${node})`)
  throw new Error(
    `One page tells of one build, and figures are kept of several: ${[...new Set(told)].join(', ')}. ` +
      'Measure all of it: npm run bench -- --nodes 24,22,20 --all --write',
  )
}
const folderOf = (major: number) => new URL(`node${major}/`, folder)
const fileOf = ({ id }: Section, major: number) => new URL(`${id}.json`, folderOf(major))

function redisVersion(): string {
  const told = execFileSync(process.env.REDIS_SERVER ?? 'redis-server', ['--version'], { encoding: 'utf8' })
  return /v=(\S+)/.exec(told)?.[1] ?? 'unknown'
}

export function resultOf(rows: readonly Row[], { processes, rounds }: Options, commit: string): Result {
  const all = cpus()
  return {
    commit,
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

/** Everything that is kept. */
function everyFile(): URL[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.json')).map((name) => new URL(name, folder))
}

export const everyResult = (): Result[] => everyFile().map((file) => JSON.parse(readFileSync(file, 'utf8')) as Result)

/** Removes what is kept of other builds. */
export function forgetOthers(build: string): void {
  for (const file of everyFile()) {
    if ((JSON.parse(readFileSync(file, 'utf8')) as Result).commit !== build) rmSync(file)
  }
}

/** The major versions of Node that something is kept of: the reference, then the newest first. */
export function keptMajors(): number[] {
  const majors = new Set(everyResult().map(({ node }) => majorOf(node)))
  return [...majors].sort((one, other) => other - one)
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
