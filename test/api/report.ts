import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the committed report of one entry says: the entry, such as `hmac` or `hmac.redis`, and its exported names. */
export interface ApiReport {
  readonly entry: string
  /** The names that the entry's own package declares. */
  readonly declared: readonly string[]
  /** The names that it hands on from another package of ours. */
  readonly handedOn: readonly string[]
}

const folder = dirname(fileURLToPath(import.meta.url))

const DECLARED = /^export (?:abstract |declare )*(?:class|const|enum|function|interface|let|namespace|type) ([\w$]+)/gm
const LISTED = /^export \{ (?:[\w$]+ as )?([\w$]+) \}/gm
const IMPORTED = /^import (?:type )?\{ (?:[\w$]+ as )?([\w$]+) \} from '@countersign\//gm

const namesIn = (text: string, pattern: RegExp): Set<string> =>
  new Set([...text.matchAll(pattern)].map(([, name = '']) => name))

export function readReport(entry: string, text: string): ApiReport {
  const imported = namesIn(text, IMPORTED)
  const listed = [...namesIn(text, LISTED)]
  return {
    entry,
    declared: [...namesIn(text, DECLARED), ...listed.filter((name) => !imported.has(name))],
    handedOn: listed.filter((name) => imported.has(name)),
  }
}

export function readReports(): ApiReport[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.api.md'))
    .map((file) => readReport(file.replace(/\.api\.md$/, ''), readFileSync(join(folder, file), 'utf8')))
}

/** How many names the main entries export, by package. */
export function countMainNames(reports: readonly ApiReport[]): Record<string, number> {
  const main = reports.filter(({ entry }) => !entry.includes('.'))
  return Object.fromEntries(
    main.map(({ entry, declared, handedOn }) => [entry, declared.length + handedOn.length] as const),
  )
}

/** The names that two public entries declare; to hand a name on from another package gives it no second home. */
export function namesWithTwoHomes(reports: readonly ApiReport[]): string[] {
  const homes = new Map<string, string[]>()
  for (const { entry, declared } of reports) {
    for (const name of declared) homes.set(name, [...(homes.get(name) ?? []), entry])
  }
  return [...homes]
    .filter(([, entries]) => entries.length > 1)
    .map(([name, entries]) => `${name}: ${entries.join(', ')}`)
}
