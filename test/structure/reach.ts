import { posix } from 'node:path'
import type { CruisedModule } from './cruise.js'
import { GATES, SCOPE } from './layers.mjs'
import { readSource } from './source.js'
import type { WorkspacePackage } from './workspace.js'

/** What an entry loads at run time, through all files and packages: sources and libraries, each with an importer. */
interface Reach {
  readonly files: ReadonlyMap<string, string>
  readonly libraries: ReadonlyMap<string, string>
}

/** What each source loads at run time. */
type LoadGraph = ReadonlyMap<string, CruisedModule['dependencies']>

/** Libraries that a user must not pay for without using them, and the entries that may load each. */
const COSTLY: Readonly<Record<string, RegExp>> = {
  // What proves a gate's behaviour starts an app.
  express: /^testing(?:\/|$)/,
  ioredis: /\/redis$/,
  pg: /\/postgres$/,
  pino: /^audit\/pino$/,
  'prom-client': /^audit\/prometheus$/,
  '@opentelemetry/api': /^audit\/opentelemetry$/,
  '@sentry/node': /^audit\/sentry$/,
}

/** What a gate's sub-path may load beside core: a gate's main entry loads nothing else. */
const BESIDE_CORE: Readonly<Record<string, string>> = { './redis': 'redis', './postgres': 'postgres' }

const libraryOf = (specifier: string): string => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')

/** The imports without those of types alone, which dependency-cruiser's swc parser does not tell apart. */
function loadGraph(packages: readonly WorkspacePackage[], modules: readonly CruisedModule[]): LoadGraph {
  const files = new Map(packages.flatMap(({ sources }) => sources.map((file) => [file.path, file])))
  return new Map(
    modules.map(({ source, dependencies }) => {
      const file = files.get(source)
      const loaded = file === undefined ? [] : readSource(file).imports.filter(({ typeOnly }) => !typeOnly)
      const specifiers = loaded.map(({ specifier }) => specifier.replace(/^node:/, ''))
      return [source, dependencies.filter(({ module }) => specifiers.includes(module))]
    }),
  )
}

function reachFrom(entry: string, graph: LoadGraph): Reach {
  const files = new Map<string, string>()
  const libraries = new Map<string, string>()
  const visit = (path: string, importer: string): void => {
    if (files.has(path)) return
    files.set(path, importer)
    for (const { module, resolved } of graph.get(path) ?? []) {
      if (graph.has(resolved)) visit(resolved, path)
      else if (!libraries.has(libraryOf(module))) libraries.set(libraryOf(module), path)
    }
  }
  visit(entry, entry)
  return { files, libraries }
}

/** The folders of the packages that an entry may load; undefined when the direction alone decides. */
function oursFor(folder: string, subPath: string): string[] | undefined {
  if (!GATES.includes(folder)) return undefined
  return [folder, 'core', ...(BESIDE_CORE[subPath] === undefined ? [] : [BESIDE_CORE[subPath]])]
}

const packageOf = (path: string): string => path.split('/')[1] ?? ''

function checkEntry(folder: string, subPath: string, { files, libraries }: Reach): string[] {
  const name = posix.join(folder, subPath)
  const ours = oursFor(folder, subPath)
  const foreign = [...files]
    .filter(([path, importer]) => packageOf(path) !== packageOf(importer))
    .filter(([path]) => ours?.includes(packageOf(path)) === false)
  const costly = [...libraries].filter(([library]) => COSTLY[library]?.test(name) === false)
  return [
    ...foreign.map(([path, importer]) => `${SCOPE}${name} loads ${SCOPE}${packageOf(path)}, in ${importer}`),
    ...costly.map(([library, importer]) => `${SCOPE}${name} loads ${library}, in ${importer}`),
  ]
}

/** What the entries of the published packages load although not every user of the entry needs it. */
export function checkReach(packages: readonly WorkspacePackage[], modules: readonly CruisedModule[]): string[] {
  const graph = loadGraph(packages, modules)
  const published = packages.filter(({ manifest }) => manifest.private !== true)
  return published.flatMap(({ folder, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([subPath, conditions]) => {
      const entry = posix.join('packages', folder, conditions['dev-source'] ?? '')
      if (!graph.has(entry)) return [`${SCOPE}${posix.join(folder, subPath)} is not there`]
      return checkEntry(folder, subPath, reachFrom(entry, graph))
    }),
  )
}
