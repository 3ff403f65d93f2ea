import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Manifest } from './workspace.js'

/** One package of a made-up workspace: its manifest, its sources by their path below `src`, and what it has installed. */
export interface MadeUpPackage {
  readonly manifest?: Partial<Manifest>
  readonly sources: Readonly<Record<string, string>>
  readonly libraries?: readonly string[]
}

const EXPORTS = { '.': { 'dev-source': './src/index.ts' }, './redis': { 'dev-source': './src/store/redis.ts' } }

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** Writes a workspace, each package installed for each other as pnpm does it, and hands over its folder. */
export function withWorkspace<T>(packages: Readonly<Record<string, MadeUpPackage>>, use: (folder: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), 'countersign-made-up-'))
  try {
    write(join(root, 'package.json'), JSON.stringify({ private: true, workspaces: ['packages/*'] }))
    for (const [folder, { manifest, sources, libraries = [] }] of Object.entries(packages)) {
      const own = join(root, 'packages', folder)
      const name = `@countersign/${folder}`
      write(join(own, 'package.json'), JSON.stringify({ name, exports: EXPORTS, ...manifest }))
      for (const [path, text] of Object.entries(sources)) write(join(own, 'src', path), text)
      for (const library of libraries) writeLibrary(join(own, 'node_modules', library), library)
      install(root, folder, Object.keys(packages))
    }
    return use(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function writeLibrary(folder: string, name: string): void {
  write(join(folder, 'package.json'), JSON.stringify({ name, main: 'index.js' }))
  write(join(folder, 'index.js'), '')
}

function install(root: string, folder: string, others: readonly string[]): void {
  const scope = join(root, 'packages', folder, 'node_modules', '@countersign')
  mkdirSync(scope, { recursive: true })
  for (const other of others) symlinkSync(join(root, 'packages', other), join(scope, other), 'junction')
}
