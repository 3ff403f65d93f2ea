import type { SourceFile } from './source.js'

/** A symbol that a source file declares and exports. */
interface ExportedSymbol {
  readonly name: string
  readonly path: string
  readonly line: number
  /** Whether a docstring stands right above it. */
  readonly documented: boolean
}

const DECLARATION =
  /^export (?:abstract |async |declare )*(?:function\*?|class|const|let|interface|type|enum|namespace) ([\w$]+)/

/** The symbols that a file declares and exports. The overloads of a function are one symbol, with the first one's docstring. */
function exportedSymbols({ path, text }: SourceFile): ExportedSymbol[] {
  const lines = text.split('\n')
  const symbols = lines.flatMap((line, index) => {
    const name = DECLARATION.exec(line)?.[1]
    const documented = (lines[index - 1] ?? '').trimEnd().endsWith('*/')
    return name === undefined ? [] : [{ name, path, line: index + 1, documented }]
  })
  return symbols.filter(({ name }, index) => symbols.findIndex((other) => other.name === name) === index)
}

/** What a reader finds without an explanation, by its place. */
export function undocumented(files: readonly SourceFile[]): string[] {
  return files
    .flatMap(exportedSymbols)
    .filter(({ documented }) => !documented)
    .map(({ path, line, name }) => `${path}:${line} ${name}`)
}

/** The names that two files declare, although a name has one meaning within a package. */
export function namesWithTwoHomes(files: readonly SourceFile[]): string[] {
  const homes = new Map<string, string[]>()
  for (const { name, path } of files.flatMap(exportedSymbols)) homes.set(name, [...(homes.get(name) ?? []), path])
  return [...homes].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(', ')}`)
}
