import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformFileSync } from '@swc/core'

const packages = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Compiles the sources of the command and the packages that it needs into a temporary folder, so that it starts as fast
 * as the published one. Returns the path of its entry.
 */
export function buildCommand(): { bin: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-build-'))
  const scope = join(folder, 'node_modules', '@countersign')
  mkdirSync(scope, { recursive: true })
  for (const name of [
    'cli',
    'audit',
    'core',
    'redis',
    'postgres',
    'hmac',
    'oauth-bearer',
    'mcp-credential',
    'settings-session',
  ]) {
    const from = join(packages, name)
    const to = join(folder, name)
    translate(join(from, 'src'), join(to, 'dist'))
    linkDependencies(join(from, 'node_modules'), join(to, 'node_modules'))
    writeFileSync(join(to, 'package.json'), readFileSync(join(from, 'package.json')))
    if (readdirSync(from).includes('migrations')) symlinkSync(join(from, 'migrations'), join(to, 'migrations'))
    symlinkSync(to, join(scope, name))
  }
  return {
    bin: join(folder, 'cli', 'dist', 'bin.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function translate(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    if (entry.isDirectory()) translate(source, join(to, entry.name))
    else if (entry.name.endsWith('.ts')) {
      const { code } = transformFileSync(source, {
        swcrc: false,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      })
      writeFileSync(join(to, entry.name.replace(/\.ts$/, '.js')), code)
    }
  }
}

/** Links everything that is installed for a package, except our own packages. */
function linkDependencies(from: string, to: string): void {
  for (const name of readdirSync(from).filter((entry) => !entry.startsWith('.') && entry !== '@countersign')) {
    const entries = name.startsWith('@') ? readdirSync(join(from, name)).map((entry) => join(name, entry)) : [name]
    for (const entry of entries) {
      mkdirSync(dirname(join(to, entry)), { recursive: true })
      symlinkSync(join(from, entry), join(to, entry))
    }
  }
}
