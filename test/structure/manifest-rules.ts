import { mayNeed, SCOPE } from './layers.mjs'
import type { Exports, Manifest, PublishedExports, WorkspacePackage } from './workspace.js'

const NODE_RANGE = '^20.19.0 || >=22.12.0'
const EXPRESS = '^4.18.0 || ^5.0.0'

/**
 * The exports as they are published: without the condition that leads to the sources, and with the CommonJS form, which
 * test/support/commonjs.mjs makes. `module-sync` comes first, so that `require()` of Node.js loads the ESM form: one copy.
 */
export function publishedExports(exports: Exports): PublishedExports {
  const published = Object.entries(exports).map(([subPath, { types = '', default: code = '' }]) => {
    const inCommonJs = (path: string) => path.replace('./dist/', './dist/cjs/')
    const conditions = {
      'module-sync': { types, default: code },
      require: {
        types: inCommonJs(types).replace(/\.d\.ts$/, '.d.cts'),
        default: inCommonJs(code).replace(/\.js$/, '.cjs'),
      },
      types,
      default: code,
    }
    return [subPath, conditions] as const
  })
  return Object.fromEntries(published)
}

/** Where `moduleResolution: node`, which knows no exports, finds the types of the sub-paths. */
export function typesVersionsOf(exports: Exports): Manifest['typesVersions'] {
  const subPaths = Object.entries(exports).filter(([subPath]) => subPath !== '.')
  if (subPaths.length === 0) return undefined
  return { '*': Object.fromEntries(subPaths.map(([subPath, { types = '' }]) => [subPath.slice('./'.length), [types]])) }
}

/** What a package publishes: its build, its changelog, and the migrations of a database store, which its users run. */
function publishedFiles(names: readonly string[]): string[] {
  const migrations = names.includes('migrations') ? ['migrations/*.sql'] : []
  return ['dist/**/*.js', 'dist/**/*.d.ts', 'dist/cjs', 'CHANGELOG.md', ...migrations]
}

function checkSubPath(folder: string, one: WorkspacePackage, subPath: string): string[] {
  const conditions = one.manifest.exports?.[subPath] ?? {}
  const source = conditions['dev-source'] ?? ''
  const stem = source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '')
  const expected = { 'dev-source': source, types: `${stem}.d.ts`, default: `${stem}.js` }
  const exists = one.sources.some(({ path }) => `./${path.slice(`packages/${folder}/`.length)}` === source)
  return [
    // The order counts: the first condition that holds is taken.
    ...(JSON.stringify(conditions) === JSON.stringify(expected)
      ? []
      : [`${folder}: "${subPath}" must be ${JSON.stringify(expected)}`]),
    ...(exists ? [] : [`${folder}: "${subPath}" leads to ${source || 'no source'}, which is not there`]),
  ]
}

/** A command must be built from a source that says what runs it. */
function checkCommand(folder: string, one: WorkspacePackage, name: string, path: string): string[] {
  const source = path.replace(/^\.\/dist\//, `packages/${folder}/src/`).replace(/\.js$/, '.ts')
  const file = one.sources.find((candidate) => candidate.path === source)
  if (!/^\.\/dist\/[a-z0-9/-]+\.js$/.test(path) || file === undefined) {
    return [`${folder}: the command ${name} leads to ${path}, which no source becomes`]
  }
  return file.text.startsWith('#!/usr/bin/env node\n')
    ? []
    : [`${folder}: ${source} must begin with #!/usr/bin/env node`]
}

/** What a package declares against the direction, whatever kind of dependency it is. */
function checkDirection({ folder, manifest }: WorkspacePackage): string[] {
  const lower = mayNeed(folder)
  if (lower === undefined) return [`${folder} has no row in the direction`]
  const declared = {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  }
  return Object.keys(declared)
    .filter((name) => name.startsWith(SCOPE) && !lower.includes(name.slice(SCOPE.length)))
    .map((name) => `${folder} depends on ${name}: against the direction`)
}

/** What a package's manifest and folder lack. */
export function checkManifest(one: WorkspacePackage): string[] {
  const { folder, manifest, files } = one
  const exports = manifest.exports ?? {}
  const optionalPeers = Object.keys(manifest.peerDependencies ?? {}).filter((name) => name !== 'express')
  const common: [boolean, string][] = [
    [manifest.name === `@countersign/${folder}`, `is called ${manifest.name}`],
    [manifest.license === 'MIT', 'has no licence'],
    [manifest.type === 'module', 'is not "type": "module"'],
    [manifest.engines?.node === NODE_RANGE, `must have "engines": { "node": "${NODE_RANGE}" }`],
  ]
  const published: [boolean, string][] = [
    [files.includes('README.md'), 'has no README.md'],
    [files.includes('CHANGELOG.md'), 'has no CHANGELOG.md'],
    [(manifest.description ?? '') !== '', 'has no description'],
    [(manifest.keywords ?? []).length > 3, 'has no keywords of its own by which it is found'],
    [manifest.sideEffects === false, 'must have "sideEffects": false'],
    [exports['.'] !== undefined, 'has no main export'],
    [manifest.publishConfig?.access === 'public', 'must be published with "access": "public"'],
    [manifest.publishConfig?.provenance === true, 'must be published with "provenance": true'],
    [
      JSON.stringify(manifest.publishConfig?.exports) === JSON.stringify(publishedExports(exports)),
      `must publish the exports ${JSON.stringify(publishedExports(exports))}`,
    ],
    [
      manifest.main === './dist/index.js' && manifest.types === './dist/index.d.ts',
      'must have "main": "./dist/index.js" and "types": "./dist/index.d.ts"',
    ],
    [
      JSON.stringify(manifest.typesVersions) === JSON.stringify(typesVersionsOf(exports)),
      `must have "typesVersions": ${JSON.stringify(typesVersionsOf(exports))}`,
    ],
    [
      manifest.scripts?.prepack === 'node ../../test/support/commonjs.mjs',
      'must have the script "prepack": "node ../../test/support/commonjs.mjs"',
    ],
    [[EXPRESS, undefined].includes(manifest.peerDependencies?.express), `must have the peer "express": "${EXPRESS}"`],
    [
      JSON.stringify(manifest.files) === JSON.stringify(publishedFiles(files)),
      `must publish ${publishedFiles(files).join(', ')} and nothing else`,
    ],
    [
      optionalPeers.every((name) => manifest.peerDependenciesMeta?.[name]?.optional === true),
      'has a peer other than express that is not optional',
    ],
  ]
  const rules = manifest.private === true ? common : [...common, ...published]
  return [
    ...checkDirection(one),
    ...rules.filter(([holds]) => !holds).map(([, words]) => `${folder} ${words}`),
    ...Object.keys(exports).flatMap((subPath) => checkSubPath(folder, one, subPath)),
    ...Object.entries(manifest.bin ?? {}).flatMap(([name, path]) => checkCommand(folder, one, name, path)),
  ]
}
