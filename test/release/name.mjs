// `npm run release:name`: writes what follows from repository.json into the manifests, the messages' homepage and CODEOWNERS.
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
const constant = join(root, 'packages/core/src/homepage.ts')
const source = readFileSync(constant, 'utf8')
writeFileSync(constant, source.replace(/HOMEPAGE = '[^']*'/, `HOMEPAGE = '${homepageOf(repository)}'`))
writeFileSync(join(root, '.github/CODEOWNERS'), `* @${repository.owner}\n`)
