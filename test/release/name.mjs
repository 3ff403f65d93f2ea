// `npm run release:name`: writes what follows from repository.json into the manifests, the messages' homepage, the
// alerts' links and CODEOWNERS.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homepageOf, lacksOf, manifestMembers, publicPackages, readJson, root } from './repository.mjs'

const repository = readJson('repository.json')
const lacks = lacksOf(repository)
if (lacks.length > 0) {
  console.error(lacks.join('\n'))
  process.exit(1)
}
for (const { folder, manifest } of publicPackages()) {
  const { name, version, description, license, homepage, bugs, repository: _, ...rest } = manifest
  const named = { name, version, description, license, ...manifestMembers(repository, folder), ...rest }
  writeFileSync(join(root, 'packages', folder, 'package.json'), `${JSON.stringify(named, null, 2)}\n`)
}
const homepage = homepageOf(repository)
const rewrite = (path, from, to) => {
  const file = join(root, path)
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to))
}
rewrite('packages/core/src/homepage.ts', /HOMEPAGE = '[^']*'/g, `HOMEPAGE = '${homepage}'`)
// The rules, and their tests, which expect the whole of an alert.
for (const path of ['docs/operations/prometheus-alerts.yml', 'test/prometheus/alerts.yml']) {
  rewrite(path, /runbook_url: \S+?(?=\/operations\/)/g, `runbook_url: ${homepage}`)
}
writeFileSync(join(root, '.github/CODEOWNERS'), `* @${repository.owner}\n`)
