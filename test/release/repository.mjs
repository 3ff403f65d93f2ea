// Where the project is kept, from repository.json: the one file that the maintainers fill in before the first release.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const OWNER = /^[a-z\d](?:-?[a-z\d]){0,38}$/i
const NAME = /^[\w.-]{1,100}$/

export const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'))

/** The name that pnpm and npm give a packed package. */
const tarballOf = ({ name, version }) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`

/** The public packages, each after those that it depends on: a release publishes them in this order. */
export function publicPackages() {
  const all = readdirSync(join(root, 'packages'))
    .map((folder) => ({ folder, manifest: readJson(`packages/${folder}/package.json`) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map((one) => ({ ...one, tarball: tarballOf(one.manifest) }))
  const sorted = []
  const visit = (one) => {
    if (sorted.includes(one)) return
    const needs = { ...one.manifest.dependencies, ...one.manifest.peerDependencies }
    for (const other of all) if (needs[other.manifest.name] !== undefined) visit(other)
    sorted.push(one)
  }
  for (const one of all) visit(one)
  return sorted
}

/** What keeps a repository.json from naming a repository, in words; empty when nothing does. */
export function lacksOf({ owner, name, homepage }) {
  const lacks = []
  if (owner === null) lacks.push('repository.json: "owner" is null; fill in the account that holds the repository')
  else if (!OWNER.test(owner)) lacks.push(`repository.json: "owner" is not the name of an account: ${owner}`)
  if (!NAME.test(name)) lacks.push(`repository.json: "name" is not the name of a repository: ${name}`)
  if (homepage !== null && !/^https:\/\/[^\s/]+(\/\S*[^/\s])?$/.test(homepage)) {
    lacks.push(`repository.json: "homepage" must be null or an https URL without a slash at its end, got ${homepage}`)
  }
  return lacks
}

/** The site of the documentation: GitHub Pages unless repository.json names another one. */
export const homepageOf = ({ owner, name, homepage }) => homepage ?? `https://${owner.toLowerCase()}.github.io/${name}`

/** The members of a package's manifest that follow from repository.json. npm compares `repository` with the provenance. */
export function manifestMembers(repository, folder) {
  const url = `https://github.com/${repository.owner}/${repository.name}`
  return {
    homepage: `${homepageOf(repository)}/packages/${folder}`,
    bugs: { url: `${url}/issues` },
    repository: { type: 'git', url: `git+${url}.git`, directory: `packages/${folder}` },
  }
}
