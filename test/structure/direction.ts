import { readSource } from './source.js'
import type { WorkspacePackage } from './workspace.js'

/** Dependencies point from a higher row to a lower one, and to nothing on the same row. */
const ROWS: readonly (readonly string[])[] = [
  ['audit'],
  ['core'],
  ['redis'],
  ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session'],
  ['testing', 'cli'],
  ['demo'],
]
const SCOPE = '@countersign/'

const rowOf = (folder: string): number => ROWS.findIndex((row) => row.includes(folder))

function complaint(from: string, to: string, how: string): string[] {
  if (rowOf(to) === -1) return [`${from} ${how} ${SCOPE}${to}, which no row of the direction names`]
  if (rowOf(to) >= rowOf(from)) return [`${from} ${how} ${SCOPE}${to}: against the direction`]
  return []
}

/** What a package declares or imports against the direction, in words; empty when all is well. */
export function checkDirection(packages: readonly WorkspacePackage[]): string[] {
  return packages.flatMap(({ folder, manifest, sources }) => {
    if (rowOf(folder) === -1) return [`${folder} has no row in the direction`]
    const declared = {
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.peerDependencies,
      ...manifest.optionalDependencies,
    }
    const ours = Object.keys(declared).filter((name) => name.startsWith(SCOPE))
    const published = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }
    const imported = sources.flatMap((source) =>
      readSource(source).imports.flatMap(({ specifier }) => {
        if (specifier.startsWith('.') || specifier.startsWith('node:')) {
          return climbsOut(source.path, specifier) ? [`${source.path} reaches out of its package: ${specifier}`] : []
        }
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
        const wrong = name.startsWith(SCOPE) ? complaint(folder, name.slice(SCOPE.length), 'imports') : []
        if (published[name] !== undefined || name === manifest.name) return wrong
        return [...wrong, `${source.path} imports ${name}, which is no dependency of ${folder}`]
      }),
    )
    return [...ours.flatMap((name) => complaint(folder, name.slice(SCOPE.length), 'depends on')), ...imported]
  })
}

/** Whether a relative import leaves the `src` folder of its package. */
function climbsOut(path: string, specifier: string): boolean {
  if (!specifier.startsWith('.')) return false
  const resolved = new URL(specifier, `file:///${path}`).pathname
  const source = path.split('/').slice(0, 3).join('/')
  return !resolved.startsWith(`/${source}/`)
}
