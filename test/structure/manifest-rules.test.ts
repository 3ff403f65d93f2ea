import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { checkManifest, publishedExports, typesVersionsOf } from './manifest-rules.js'
import { type Manifest, readPackages, root, type WorkspacePackage } from './workspace.js'

test('every manifest has what publishing needs', () => {
  const packages = readPackages()
  expect(packages.filter(({ manifest }) => manifest.private !== true).length).toBeGreaterThanOrEqual(7)
  expect(packages.flatMap(checkManifest)).toEqual([])
  expect(existsSync(join(root, 'LICENSE'))).toBe(true)
})

const exports = { '.': { 'dev-source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' } }

/** What a manifest says otherwise; undefined takes the field away. */
type Changes = { readonly [Field in keyof Manifest]?: Manifest[Field] | undefined }

function madeUp(changes: Changes, files = ['README.md', 'CHANGELOG.md']): WorkspacePackage {
  const manifest: Manifest = {
    name: '@countersign/core',
    description: 'the core',
    keywords: ['express', 'middleware', 'authentication', 'audit-log'],
    license: 'MIT',
    type: 'module',
    sideEffects: false,
    engines: { node: '^20.19.0 || >=22.12.0' },
    main: './dist/index.js',
    types: './dist/index.d.ts',
    exports,
    files: ['dist/**/*.js', 'dist/**/*.d.ts', 'dist/cjs', 'CHANGELOG.md'],
    scripts: { prepack: 'node ../../test/support/commonjs.mjs' },
    publishConfig: { access: 'public', provenance: true, exports: publishedExports(exports) },
    peerDependencies: { express: '^4.18.0 || ^5.0.0' },
  }
  const sources = [{ path: 'packages/core/src/index.ts', text: 'export {}' }]
  return { folder: 'core', manifest: { ...manifest, ...changes } as Manifest, files, sources }
}

test('a manifest with all of it draws no complaint', () => {
  expect(checkManifest(madeUp({}))).toEqual([])
})

test.each<[string, Changes]>([
  ['core is called core', { name: 'core' }],
  ['core has no licence', { license: undefined }],
  ['core is not "type": "module"', { type: undefined }],
  ['core must have "engines": { "node": "^20.19.0 || >=22.12.0" }', { engines: { node: '>=18' } }],
  ['core has no description', { description: '' }],
  ['core has no keywords of its own by which it is found', { keywords: ['express', 'middleware', 'authentication'] }],
  ['core must have "sideEffects": false', { sideEffects: undefined }],
  [
    'core must be published with "access": "public"',
    { publishConfig: { provenance: true, exports: publishedExports(exports) } },
  ],
  [
    'core must be published with "provenance": true',
    { publishConfig: { access: 'public', exports: publishedExports(exports) } },
  ],
  [
    'core must publish the exports {".":{"module-sync":{"types":"./dist/index.d.ts","default":"./dist/index.js"},"require":{"types":"./dist/cjs/index.d.cts","default":"./dist/cjs/index.cjs"},"types":"./dist/index.d.ts","default":"./dist/index.js"}}',
    { publishConfig: { access: 'public', provenance: true, exports } },
  ],
  ['core must publish dist/**/*.js, dist/**/*.d.ts, dist/cjs, CHANGELOG.md and nothing else', { files: ['dist'] }],
  ['core must have "main": "./dist/index.js" and "types": "./dist/index.d.ts"', { main: undefined }],
  ['core must have "main": "./dist/index.js" and "types": "./dist/index.d.ts"', { types: undefined }],
  ['core must have the script "prepack": "node ../../test/support/commonjs.mjs"', { scripts: undefined }],
  ['core must have the peer "express": "^4.18.0 || ^5.0.0"', { peerDependencies: { express: '^5.0.0' } }],
  [
    'core has a peer other than express that is not optional',
    { peerDependencies: { express: '^4.18.0 || ^5.0.0', ioredis: '6' } },
  ],
])('%s', (complaint, changes) => {
  expect(checkManifest(madeUp(changes))).toEqual([complaint])
})

test('migrations that are not published are found', () => {
  expect(checkManifest(madeUp({}, ['README.md', 'CHANGELOG.md', 'migrations']))).toEqual([
    'core must publish dist/**/*.js, dist/**/*.d.ts, dist/cjs, CHANGELOG.md, migrations/*.sql and nothing else',
  ])
})

test('a package without README.md and CHANGELOG.md is found', () => {
  expect(checkManifest(madeUp({}, []))).toEqual(['core has no README.md', 'core has no CHANGELOG.md'])
})

test('an export that leads nowhere, or whose conditions stand in the wrong order, is found', () => {
  const nowhere = {
    ...exports,
    './redis': {
      'dev-source': './src/stores/redis.ts',
      types: './dist/stores/redis.d.ts',
      default: './dist/stores/redis.js',
    },
  }
  const published = { access: 'public', provenance: true, exports: publishedExports(nowhere) }
  const typesVersions = typesVersionsOf(nowhere)
  expect(checkManifest(madeUp({ exports: nowhere, publishConfig: published, typesVersions }))).toEqual([
    'core: "./redis" leads to ./src/stores/redis.ts, which is not there',
  ])
  const order = { '.': { default: './dist/index.js', 'dev-source': './src/index.ts', types: './dist/index.d.ts' } }
  const publishedOrder = { access: 'public', provenance: true, exports: publishedExports(order) }
  expect(checkManifest(madeUp({ exports: order, publishConfig: publishedOrder }))).toEqual([
    'core: "." must be {"dev-source":"./src/index.ts","types":"./dist/index.d.ts","default":"./dist/index.js"}',
  ])
})

test('a sub-path that moduleResolution node does not find is found', () => {
  const twice = { ...exports, './again': exports['.'] }
  const publishConfig = { access: 'public', provenance: true, exports: publishedExports(twice) }
  expect(checkManifest(madeUp({ exports: twice, publishConfig }))).toEqual([
    'core must have "typesVersions": {"*":{"again":["./dist/index.d.ts"]}}',
  ])
})

test('a dependency against the direction is found, whatever kind of dependency it is', () => {
  const range = { '@countersign/audit': 'workspace:^' }
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    expect(checkManifest(madeUp({ [kind]: range }))).toEqual([
      'core depends on @countersign/audit: against the direction',
    ])
  }
  const extras = { ...madeUp({ name: '@countersign/extras' }), folder: 'extras' }
  expect(checkManifest(extras)).toContain('extras has no row in the direction')
})

test('a command that no source becomes, or whose source does not say what runs it, is found', () => {
  const command = (path: string, text = '#!/usr/bin/env node\n') => {
    const one = madeUp({ bin: { tool: path } })
    return checkManifest({ ...one, sources: [...one.sources, { path: 'packages/core/src/bin.ts', text }] })
  }
  expect(command('./dist/bin.js')).toEqual([])
  expect(command('./dist/other.js')).toEqual([
    'core: the command tool leads to ./dist/other.js, which no source becomes',
  ])
  expect(command('./src/bin.ts')).toEqual(['core: the command tool leads to ./src/bin.ts, which no source becomes'])
  expect(command('./dist/bin.js', 'run()')).toEqual([
    'core: packages/core/src/bin.ts must begin with #!/usr/bin/env node',
  ])
})
