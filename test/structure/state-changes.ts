import type { SourceFile } from './source.js'

/** The interfaces whose methods are the operations of a store. */
const PORT = /(?:Store|KeyCache)$/
/** Stores that add nothing to the ports they join, or that only a test's clock and owner call. */
const NOT_PORTS: ReadonlySet<string> = new Set(['SettingsStore', 'MemorySecretStore', 'MemoryCredentialStore'])

/** The operations of the stores that these files declare, as `Interface.method`. */
export function operationsIn(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ text }) =>
    Array.from(text.matchAll(/^export interface (\w+)[^{\n]*\{\n(.*?)^\}/gms)).flatMap(([, name = '', body = '']) =>
      PORT.test(name) && !NOT_PORTS.has(name)
        ? Array.from(body.matchAll(/^ {2}(\w+)\??\(/gm), ([, method]) => `${name}.${method}`)
        : [],
    ),
  )
}

/** The types of events that a file reports, each once. Members of a type, keys of a table and comparisons report none. */
export function reportedIn({ text }: SourceFile, types: readonly string[]): string[] {
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const isMention = /^\s*(?:\| )?['`]/.test(line) || line.includes('Extract<')
    if (isMention) continue
    for (const [, type = ''] of line.matchAll(/(?<!=== )'([a-z]+(?:\.[a-z]+)+)'/g)) {
      if (types.includes(type)) found.add(type)
    }
    const [, change] = /(?:report|grant)Change\(audit, '([a-z]+)'/.exec(line) ?? []
    if (change !== undefined) found.add(`hmac.secret.${change}`)
  }
  return [...found]
}

interface Row {
  readonly event: string
  readonly operation: string
  readonly file: string
}

/** What the page says: the rows with an event, and the operations that have none. */
function readPage(page: string): { readonly rows: readonly Row[]; readonly silent: readonly string[] } {
  const [first = '', second = ''] = page.split('## Without an event')
  const rows = Array.from(
    first.matchAll(/^\| `([a-z.]+)` \| .+? \| (?:`([\w.]+)` )?\| `([\w./-]+)` \|$/gm),
    ([, event = '', operation = '', file = '']) => ({ event, operation, file: `packages/${file}` }),
  )
  const cells = Array.from(second.matchAll(/^\| (`.+?`) \|/gm), ([, cell = '']) => cell)
  return { rows, silent: cells.flatMap((cell) => cell.split(', ').map((name) => name.slice(1, -1))) }
}

/** In what the page and the code differ: sentences, none when they agree. */
export function compareStateChanges(page: string, files: readonly SourceFile[], types: readonly string[]): string[] {
  const { rows, silent } = readPage(page)
  const operations = operationsIn(files)
  const named = new Set([...rows.map(({ operation }) => operation).filter(Boolean), ...silent])
  const inCode = files.flatMap((file) => reportedIn(file, types).map((event) => `${event} in ${file.path}`))
  const onPage = rows.map(({ event, file }) => `${event} in ${file}`)
  return [
    ...operations.filter((name) => !named.has(name)).map((name) => `${name} has no row`),
    ...[...named].filter((name) => !operations.includes(name)).map((name) => `${name} is no operation`),
    ...inCode.filter((place) => !onPage.includes(place)).map((place) => `${place} has no row`),
    ...[...new Set(onPage)].filter((place) => !inCode.includes(place)).map((place) => `${place} is not reported`),
    ...types.filter((type) => !rows.some(({ event }) => event === type)).map((type) => `${type} has no row`),
  ]
}
