import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SourceFile } from './source.js'

export type Exports = Readonly<Record<string, Readonly<Record<string, string>>>>

/** Exports as they are published: a condition leads to a file, or to one for types and one for code. */
export type PublishedExports = Readonly<
  Record<string, Readonly<Record<string, string | Readonly<Record<string, string>>>>>
>

export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly license?: string
  readonly type?: string
  readonly description?: string
  readonly keywords?: readonly string[]
  readonly sideEffects?: boolean
  readonly engines?: { readonly node?: string }
  readonly main?: string
  readonly types?: string
  readonly typesVersions?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly exports?: Exports
  readonly scripts?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
  readonly publishConfig?: {
    readonly access?: string
    readonly provenance?: boolean
    readonly exports?: PublishedExports
  }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** A package as the checks see it: what its folder is called, its manifest, its files' names and its sources. */
export interface WorkspacePackage {
  readonly folder: string
  readonly manifest: Manifest
  /** The names in the package's folder. */
  readonly files: readonly string[]
  readonly sources: readonly SourceFile[]
}

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const SOURCE = /\.(ts|mts|cts|js|mjs|cjs)$/

/** Every source file below a folder of the workspace, but for what is installed or built. */
export function sourcesBelow(folder: string, workspace = root): SourceFile[] {
  const absolute = join(workspace, folder)
  if (!existsSync(absolute)) return []
  return readdirSync(absolute)
    .filter((name) => name !== 'node_modules' && name !== 'dist')
    .flatMap((name) => {
      const path = `${folder}/${name}`
      if (statSync(join(workspace, path)).isDirectory()) return sourcesBelow(path, workspace)
      return SOURCE.test(name) ? [{ path, text: readFileSync(join(workspace, path), 'utf8') }] : []
    })
}

export function readPackages(workspace = root): WorkspacePackage[] {
  const packages = join(workspace, 'packages')
  return readdirSync(packages).map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(packages, folder, 'package.json'), 'utf8')) as Manifest,
    files: readdirSync(join(packages, folder)),
    sources: sourcesBelow(`packages/${folder}/src`, workspace),
  }))
}
