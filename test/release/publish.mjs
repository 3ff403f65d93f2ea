// Publishes the packages whose version is not on npm, from tarballs that pnpm packs: npm does not rewrite `workspace:` and
// `catalog:`. The workflow `release` runs it twice: `--pack <folder>` where everything is installed, and `--from <folder>` where
// nothing is, with an OIDC token in place of a secret. Run again, it continues.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { packInto } from './pack.mjs'
import { lacksOf, publicPackages, readJson } from './repository.mjs'

const lacks = lacksOf(readJson('repository.json'))
if (lacks.length > 0) {
  console.error(lacks.join('\n'))
  process.exit(1)
}
const { values } = parseArgs({ options: { pack: { type: 'string' }, from: { type: 'string' } } })
if (values.pack !== undefined) {
  mkdirSync(values.pack, { recursive: true })
  packInto(resolve(values.pack), publicPackages())
  process.exit(0)
}
if (values.from === undefined) {
  console.error('publish.mjs needs --pack <folder>, or --from <folder> with what was packed')
  process.exit(2)
}
const folder = resolve(values.from)

function isPublished({ name, version }) {
  const { status, stdout, stderr } = spawnSync('npm', ['view', `${name}@${version}`, 'version', '--json'], {
    encoding: 'utf8',
  })
  if (status === 0) return stdout.trim() !== ''
  // A registry that does not answer is no answer.
  if (/\bE404\b/.test(stdout + stderr)) return false
  throw new Error(`npm view ${name}@${version}: ${stderr}`)
}

const due = publicPackages().filter(({ manifest }) => !isPublished(manifest))
for (const { manifest, file } of due.map((one) => ({ ...one, file: join(folder, one.tarball) }))) {
  const { status } = spawnSync('npm', ['publish', file, '--access', 'public', '--provenance'], { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`${manifest.name}@${manifest.version} was not published. What comes after it was not tried.`)
    process.exit(1)
  }
}
console.log(
  due.length === 0 ? 'Every version is on npm.' : `Published: ${due.map(({ manifest }) => manifest.name).join(', ')}`,
)
