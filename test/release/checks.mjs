// What must hold before a release. Each check returns what is wrong, in words; an empty list is good.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm } from '../support/pnpm.mjs'
import { homepageOf, lacksOf, manifestMembers } from './repository.mjs'

/** Licences that ask an app for nothing but to keep their text. */
const LICENCES = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'BlueOak-1.0.0'])

export function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
  return {
    ok: done.status === 0,
    stdout: done.stdout,
    output: `${done.error ?? ''}${done.stdout}${done.stderr}`.trim(),
  }
}

/** The repository has a name, and the manifests and the messages say it. */
export function checkNames(repository, packages, homepageSource) {
  const lacks = lacksOf(repository)
  if (lacks.length > 0) return lacks
  const wrong = packages
    .filter(({ folder, manifest }) =>
      Object.entries(manifestMembers(repository, folder)).some(
        ([member, value]) => JSON.stringify(manifest[member]) !== JSON.stringify(value),
      ),
    )
    .map(({ folder }) => `packages/${folder}/package.json`)
  if (!homepageSource.includes(`'${homepageOf(repository)}'`)) wrong.push('packages/core/src/homepage.ts')
  return wrong.map((path) => `${path} does not say what repository.json says: npm run release:name`)
}

/** Each version has its chapter in the changelog, and no change waits for a version. */
export function checkVersions(root, packages) {
  const waiting = readdirSync(join(root, '.changeset')).filter((name) => name.endsWith('.md') && name !== 'README.md')
  const silent = packages.filter(({ folder, manifest }) => {
    const log = readFileSync(join(root, 'packages', folder, 'CHANGELOG.md'), 'utf8')
    return /^## (.+)$/m.exec(log)?.[1] !== manifest.version
  })
  return [
    ...waiting.map((name) => `.changeset/${name} waits for a version: npm run release:version`),
    ...silent.map(({ folder, manifest }) => `packages/${folder}/CHANGELOG.md does not begin with ${manifest.version}`),
  ]
}

/** The licences of what npm installs with the packages. */
export function checkLicences(root, packages, allowed = LICENCES) {
  const filters = packages.flatMap(({ folder }) => ['--filter', `./packages/${folder}`])
  const { command, args } = pnpm([...filters, 'licenses', 'list', '--prod', '--json'])
  const { ok, stdout, output } = run(command, args, root)
  if (!ok) return [output]
  const licences = Object.entries(JSON.parse(stdout))
  if (licences.length === 0) return ['pnpm licenses list found no dependency']
  return licences
    .filter(([licence]) => !allowed.has(licence))
    .flatMap(([licence, dependencies]) => dependencies.map(({ name }) => `${name} has the licence ${licence}`))
}

/** npm's own look at what would be published. What it would correct or warn of is wrong. */
export function checkDryRun(folder, packages) {
  return packages.flatMap(({ manifest, tarball }) => {
    const args = ['publish', '--dry-run', '--access', 'public', join(folder, tarball)]
    const { ok, output } = run('npm', args, folder)
    const warnings = output
      .split('\n')
      .filter((line) => /^npm (warn|error)/i.test(line) && !/requires you to be logged in/.test(line))
    if (!ok && warnings.length === 0) warnings.push(output)
    return warnings.map((line) => `${manifest.name}: ${line}`)
  })
}
