// Writes reference/ from the docstrings of every entry of every published package: one page for each entry.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'

const docs = dirname(fileURLToPath(import.meta.url))
const root = dirname(docs)

const entries = readdirSync(join(root, 'packages')).flatMap((folder) => {
  const {
    name,
    private: isPrivate,
    exports = {},
  } = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))
  if (isPrivate) return []
  return Object.entries(exports).map(([subPath, conditions]) => ({
    name: name + subPath.slice(1),
    source: join(root, 'packages', folder, conditions['dev-source']),
  }))
})

const app = await Application.bootstrapWithPlugins({
  plugin: ['typedoc-plugin-markdown'],
  tsconfig: join(docs, 'tsconfig.json'),
  entryPoints: entries.map(({ source }) => source),
  basePath: join(root, 'packages'),
  name: 'Reference',
  out: join(docs, 'reference'),
  readme: 'none',
  router: 'module',
  modulesFileName: 'index',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  useCodeBlocks: true,
  // Its own counting of equal headings differs from VitePress's.
  useHTMLAnchors: true,
  expandObjects: false,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  logLevel: 'Warn',
  validation: { notExported: false, invalidLink: false, notDocumented: false },
  skipErrorChecking: true,
})
const project = await app.convert()
if (project === undefined) throw new Error('TypeDoc could not read the packages')
// TypeDoc names a module after its file: `hmac/src/explain` is `hmac/explain` for those who import it.
for (const module of project.children ?? []) {
  const entry = entries.find(
    ({ source }) =>
      source === join(root, 'packages', `${module.name}.ts`) ||
      source === join(root, 'packages', module.name, 'index.ts'),
  )
  if (entry === undefined) throw new Error(`${module.name} is not an entry of a package`)
  module.name = entry.name.replace('@countersign/', '').replace('/', '.')
}
rmSync(join(docs, 'reference'), { recursive: true, force: true })
await app.generateOutputs(project)
for (const { name } of entries) {
  const file = join(docs, 'reference', `${name.replace('@countersign/', '').replace('/', '.')}.md`)
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^# .*$/m, `# \`${name}\``))
}
