import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { packInto } from '../release/pack.mjs'
import { publicPackages } from '../release/repository.mjs'
import { type Manifest, root } from '../structure/workspace.js'

/** A package as it would be published. */
export interface Tarball {
  readonly name: string
  /** The packed file. */
  readonly file: string
  /** Where it is unpacked. */
  readonly folder: string
  /** The paths in it, sorted. */
  readonly paths: readonly string[]
  readonly manifest: Manifest
}

/** What npm and Jest leave in the environment would lead the commands of a test back into this workspace. */
export function cleanEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(config_(local_)?prefix|package|lifecycle|command|execpath)|^(NODE_OPTIONS|INIT_CWD)$/i.test(name) &&
      // What the command would take for its own.
      !/^(REDIS_URL|DATABASE_URL)$|^COUNTERSIGN_/.test(name),
  )
  return Object.fromEntries(entries)
}

/** Runs a command to its end. Its output is the test's message when it fails. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): string {
  const done = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...cleanEnvironment(), ...env },
    shell: process.platform === 'win32',
    timeout: 170_000,
  })
  const output = `${done.stdout}${done.stderr}`
  if (done.status === 0) return output
  throw new Error(
    `${command} ${args.join(' ')} ended with ${done.status ?? done.signal}:\n${done.error ?? ''}${output}`,
  )
}

/** Runs the command-line tool of an installed package with this Node. */
export function runTool(packageName: string, args: readonly string[], cwd: string): string {
  const manifestFile = join(root, 'test', 'node_modules', packageName, 'package.json')
  const { bin } = JSON.parse(readFileSync(manifestFile, 'utf8')) as { bin: string | Record<string, string> }
  const entry = typeof bin === 'string' ? bin : Object.values(bin)[0]
  return run(process.execPath, [join(manifestFile, '..', String(entry)), ...args], cwd)
}

/** Every path below a folder, with forward slashes, sorted. */
function pathsBelow(folder: string, base = folder): string[] {
  const paths = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? pathsBelow(path, base) : [relative(base, path).replaceAll('\\', '/')]
  })
  return paths.sort()
}

/**
 * Packs every public package, or those of these folders, as pnpm would publish it, from what is built, and unpacks each
 * below `destination`. `npm test` has packed them once for all test files, and names the folder in COUNTERSIGN_TARBALLS.
 */
export function packAll(destination: string, only?: readonly string[]): Tarball[] {
  const packages = publicPackages().filter(({ folder }) => only?.includes(folder) !== false)
  const packed = process.env.COUNTERSIGN_TARBALLS ?? destination
  if (packed === destination) {
    const folders = packages.map(({ folder }) => `packages/${folder}`)
    // An incremental build.
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...folders], root)
    packInto(destination, packages)
  }
  return packages.map(({ tarball }) => {
    const file = join(packed, tarball)
    const folder = join(destination, tarball.replace(/\.tgz$/, ''))
    mkdirSync(folder)
    run('tar', ['-xzf', file, '-C', folder], destination)
    const content = join(folder, 'package')
    const manifest = JSON.parse(readFileSync(join(content, 'package.json'), 'utf8')) as Manifest
    return { name: manifest.name, file, folder: content, paths: pathsBelow(content), manifest }
  })
}
