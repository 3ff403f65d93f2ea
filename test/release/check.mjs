// `npm run release:check`: all that must hold before a release, on this machine. The workflow `release` runs it, too.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkDryRun, checkLicences, checkNames, checkVersions, run } from './checks.mjs'
import { packInto } from './pack.mjs'
import { publicPackages, readJson, root } from './repository.mjs'

const folder = mkdtempSync(join(tmpdir(), 'countersign-release-'))
const packages = publicPackages()

function program(path, ...args) {
  const { ok, output } = run(process.execPath, [...args, join(root, path)], root)
  return ok ? [] : [output]
}
function jest(file) {
  const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '-c', 'test/jest.config.js', file]
  const { ok, output } = run(process.execPath, args, root)
  return ok ? [] : [output]
}
function dryRun() {
  packInto(folder, packages)
  return checkDryRun(folder, packages)
}

const homepageSource = readFileSync(join(root, 'packages/core/src/homepage.ts'), 'utf8')
const CHECKS = [
  [
    'repository.json is filled in, and the packages say it',
    () => checkNames(readJson('repository.json'), packages, homepageSource),
  ],
  ['each version is in its changelog, and no change waits', () => checkVersions(root, packages)],
  ['licences of dependencies', () => checkLicences(root, packages)],
  ['API reports', () => program('test/api/extract.mjs')],
  ['sizes', () => program('node_modules/size-limit/bin.js')],
  ['contents of the tarballs, publint, attw', () => jest('test/consumers/tarballs.test.ts')],
  ['npm publish --dry-run', dryRun],
]

let failed = 0
try {
  for (const [title, check] of CHECKS) {
    const complaints = check()
    console.log(`${complaints.length === 0 ? '✔' : '✘'} ${title}`)
    for (const complaint of complaints) console.log(`    ${complaint.replaceAll('\n', '\n    ')}`)
    if (complaints.length > 0) failed += 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(
  failed === 0 ? 'Ready for a release.' : `Not ready for a release: ${failed} of ${CHECKS.length} checks failed.`,
)
process.exitCode = failed === 0 ? 0 : 1
