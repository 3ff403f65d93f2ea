import { posix } from 'node:path'
import { readSource, type SourceFile } from './source.js'
import type { WorkspacePackage } from './workspace.js'

/**
 * What a package's main entry loads at run time, through all files and packages of the workspace: the paths of the
 * files, and the names of the outside modules with the file that imports each.
 */
export function reachedFrom(
  entry: WorkspacePackage,
  packages: readonly WorkspacePackage[],
): { files: string[]; modules: { specifier: string; from: string }[] } {
  const files = new Map<string, SourceFile>(packages.flatMap((one) => one.sources.map((file) => [file.path, file])))
  const seen = new Set<string>()
  const modules: { specifier: string; from: string }[] = []
  const visit = (path: string): void => {
    const file = files.get(path)
    if (seen.has(path) || file === undefined) return
    seen.add(path)
    for (const { specifier, typeOnly } of readSource(file).imports) {
      if (typeOnly) continue
      if (specifier.startsWith('.')) {
        visit(posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts'))
        continue
      }
      const inside = packages.find(
        ({ manifest }) => specifier === manifest.name || specifier.startsWith(`${manifest.name}/`),
      )
      const target = inside && sourceOfExport(inside, `.${specifier.slice(inside.manifest.name.length)}`)
      if (target === undefined) modules.push({ specifier, from: path })
      else visit(target)
    }
  }
  const main = sourceOfExport(entry, '.')
  if (main !== undefined) visit(main)
  return { files: [...seen], modules }
}

/** The source file behind a sub-path export. */
export function sourceOfExport(one: WorkspacePackage, subPath: string): string | undefined {
  const source = one.manifest.exports?.[subPath]?.['dev-source']
  return source === undefined ? undefined : posix.join('packages', one.folder, source)
}

/** Main entries must load without ioredis: it is an optional peer. */
export function checkReach(packages: readonly WorkspacePackage[]): string[] {
  return packages
    .filter(({ manifest }) => manifest.private !== true)
    .flatMap((one) => {
      const { files, modules } = reachedFrom(one, packages)
      const loads = modules.filter(({ specifier }) => /^ioredis($|\/)/.test(specifier))
      const stores = files.filter((path) => path.endsWith('/stores/redis.ts'))
      return [
        ...(files.length === 0 ? [`${one.folder} has no main entry`] : []),
        ...loads.map(({ from }) => `${one.folder}'s main entry loads ioredis, in ${from}`),
        ...stores.map((path) => `${one.folder}'s main entry loads ${path}`),
      ]
    })
}
