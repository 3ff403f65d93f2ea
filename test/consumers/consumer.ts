import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../structure/workspace.js'
import { copyExample, type Example } from './example.js'
import { run, type Tarball } from './tarballs.js'

/** The folders that consumers are made of. */
export const projects: string = join(dirname(fileURLToPath(import.meta.url)), 'projects')

/** What `name` is without a version: the exact one that the workspace itself is tested with, so that a consumer's install is the same every day. */
function versionHere(dependency: string): string {
  if (dependency === '@types/node') return versionIn(root, dependency)
  const folders = ['test', 'test/bench', '', 'packages/oauth-bearer'].map((name) => join(root, name))
  const found = folders.find((folder) => existsSync(join(folder, 'node_modules', dependency)))
  return versionIn(found ?? join(root, 'test'), dependency)
}

function versionIn(folder: string, dependency: string): string {
  const file = join(folder, 'node_modules', dependency, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** A project outside the workspace: folders of `projects`, the tarballs and what else an app has, installed with npm. */
/** Flags for the warnings that the exercise provokes on purpose, so that nothing else is printed unseen. */
export const QUIET: readonly string[] = ['DEPENDENCY_UNAVAILABLE', 'OAUTH_WRONG_AUDIENCE'].map(
  (code) => `--disable-warning=COUNTERSIGN_${code}`,
)

export interface Consumer {
  readonly folder: string
  /** Which version of a dependency npm installed. */
  versionOf(dependency: string): string
  /** Runs one of its files with this Node. */
  start(file: string, env?: Readonly<Record<string, string>>, flags?: readonly string[]): string
  /** Runs its tests with the Jest that it installed. */
  jest(...words: string[]): string
  /** Compiles it with these compiler options on top of `strict`, by the TypeScript that it installed, or this workspace's. */
  compile(options: Readonly<Record<string, unknown>>): void
}

export function createConsumer(
  folder: string,
  project: {
    folders: readonly string[]
    type: 'module' | 'commonjs'
    dependencies: readonly string[]
    /** Folders of `docs/examples`: npm workspaces of the project, with the dependencies of their own manifests. */
    examples?: readonly Example[]
  },
  tarballs: readonly Pick<Tarball, 'name' | 'file'>[],
): Consumer {
  mkdirSync(folder)
  for (const folderOfProject of project.folders) cpSync(join(projects, folderOfProject), folder, { recursive: true })
  const dependencies = Object.fromEntries([
    ...project.dependencies.map((dependency) => {
      const [, name = dependency, version = versionHere(dependency)] = /^(@?[^@]+)@(.+)$/.exec(dependency) ?? []
      return [name, version]
    }),
    ...tarballs.map(({ name, file }) => [name, `file:${file}`]),
  ])
  for (const example of project.examples ?? []) copyExample(example, folder)
  const workspaces = project.examples?.map(({ name }) => name) ?? []
  const manifest = { name: 'consumer', private: true, type: project.type, workspaces, dependencies }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'], folder)
  return {
    folder,
    versionOf: (dependency) => versionIn(folder, dependency),
    start: (file, env, flags = []) => run(process.execPath, [...flags, file], folder, env),
    jest: (...words) => run(process.execPath, [join(folder, 'node_modules/jest/bin/jest.js'), ...words], folder),
    compile: (options) => {
      const compilerOptions = { strict: true, target: 'es2023', types: ['node'], skipLibCheck: false, ...options }
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, include: ['*.ts', '*.mts', '*/*.ts'] }),
      )
      const [own = '', ours = ''] = [folder, root].map((base) => join(base, 'node_modules/typescript/bin/tsc'))
      run(process.execPath, [existsSync(own) ? own : ours, '-p', folder], folder)
    },
  }
}
