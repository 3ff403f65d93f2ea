// What dependency-cruiser forbids in packages/*/src. It is run at the root of a workspace:
//   npx depcruise --config test/structure/dependency-cruiser.config.mjs packages
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mayNeed, SCOPE } from './layers.mjs'

const folders = readdirSync('packages').filter((folder) => existsSync(join('packages', folder, 'package.json')))

const sourceOf = (names) => `^packages/(?:${names.join('|')})/`

/** The packages of this workspace that a user of the package gets with it. */
function declared(folder) {
  const manifest = JSON.parse(readFileSync(join('packages', folder, 'package.json'), 'utf8'))
  const names = Object.keys({
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  })
  return names.filter((name) => name.startsWith(SCOPE)).map((name) => name.slice(SCOPE.length))
}

/** A package may import itself, and of the other packages those that are named. */
const onlyOurs = (name, comment, folder, others) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^packages/${folder}/src/` },
  to: { path: '^packages/', pathNot: sourceOf([folder, ...others]) },
})

const forbidden = [
  {
    name: 'circle',
    comment: 'No circular import anywhere, type imports included',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'unresolved',
    comment: 'Every import leads to a file',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'climbs-out',
    comment: 'A package reaches another one by its name, not by its path',
    severity: 'error',
    from: { path: '^packages/([^/]+)/src/' },
    to: { pathNot: '^packages/$1/src/', dependencyTypes: ['local'] },
  },
  {
    name: 'undeclared',
    comment: 'Published code imports dependencies and peers alone',
    severity: 'error',
    from: { path: '^packages/[^/]+/src/' },
    to: {
      dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
      dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'],
    },
  },
  ...folders.map((folder) =>
    onlyOurs('direction', 'A package needs packages of earlier rows alone', folder, mayNeed(folder) ?? []),
  ),
  ...folders.map((folder) =>
    onlyOurs('undeclared', 'Published code imports dependencies and peers alone', folder, declared(folder)),
  ),
]

export default {
  forbidden,
  options: {
    // TypeScript 7 has no JavaScript API, which the default parser needs: without this no module is seen.
    parser: 'swc',
    exclude: { path: '^packages/[^/]+/(?:dist|test)(?:/|$)' },
    doNotFollow: { path: 'node_modules' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['dev-source', 'types', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.d.ts'],
    },
  },
}
