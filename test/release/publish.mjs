// Publishes the packages whose version is not on npm, from tarballs that pnpm packs: npm does not rewrite `workspace:` and
// `catalog:`. The workflow `release` runs it, with an OIDC token in place of a secret. Run again, it continues.
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packInto } from './pack.mjs'
import { lacksOf, publicPackages, readJson } from './repository.mjs'

const lacks = lacksOf(readJson('repository.json'))
if (lacks.length > 0) {
  console.error(lacks.join('\n'))
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'countersign-publish-'))

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
if (due.length > 0) packInto(folder, due)
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
