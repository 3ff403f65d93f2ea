import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { cleanEnvironment, run } from '../consumers/tarballs.js'
import { root } from '../structure/workspace.js'
import { withAddresses } from './addresses.mjs'
import { checkDryRun, checkLicences, checkNames, checkVersions } from './checks.mjs'
import { packInto } from './pack.mjs'
import { lacksOf, publicPackages, type ReleasedPackage, type Repository } from './repository.mjs'

const NAMED: Repository = { owner: 'An-Owner', name: 'countersign', homepage: null }

/** Files whose alerts link to the incident playbook. */
const ALERTS = ['docs/operations/prometheus-alerts.yml', 'test/prometheus/alerts.yml']

let folder: string
let copy: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-release-'))
  // What the scripts read and write, where they may write it.
  copy = join(folder, 'copy')
  for (const path of ['.changeset', '.github', 'package.json', 'test/release', 'test/support/pnpm.mjs', ...ALERTS]) {
    cpSync(join(root, path), join(copy, path), { recursive: true })
  }
  for (const name of readdirSync(join(root, 'packages'))) {
    for (const path of ['package.json', 'CHANGELOG.md', 'src/homepage.ts']) {
      const from = join(root, 'packages', name, path)
      if (existsSync(from)) cpSync(from, join(copy, 'packages', name, path))
    }
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const scriptOf = (name: string) =>
  spawnSync(process.execPath, [join(copy, 'test/release', name)], { encoding: 'utf8', env: cleanEnvironment() })
const fill = (repository: Repository) => writeFileSync(join(copy, 'repository.json'), JSON.stringify(repository))
const copiedPackages = (): ReleasedPackage[] =>
  publicPackages().map((one) => ({
    ...one,
    manifest: JSON.parse(readFileSync(join(copy, 'packages', one.folder, 'package.json'), 'utf8')),
  }))
const copiedHomepage = () => readFileSync(join(copy, 'packages/core/src/homepage.ts'), 'utf8')

test('a repository.json without an owner, or with a name that cannot be one, is found', () => {
  expect(lacksOf(NAMED)).toEqual([])
  expect(lacksOf({ ...NAMED, homepage: 'https://docs.example.com/auth' })).toEqual([])
  expect(lacksOf({ ...NAMED, owner: null })).toEqual([
    'repository.json: "owner" is null; fill in the account that holds the repository',
  ])
  expect(lacksOf({ owner: 'a/b', name: 'a b', homepage: 'https://docs.example.com/' })).toEqual([
    'repository.json: "owner" is not the name of an account: a/b',
    'repository.json: "name" is not the name of a repository: a b',
    'repository.json: "homepage" must be null or an https URL without a slash at its end, got https://docs.example.com/',
  ])
})

test('nothing is named and nothing published until the maintainers say who owns the repository', () => {
  fill({ ...NAMED, owner: null })
  for (const script of ['name.mjs', 'publish.mjs']) {
    const { status, stdout, stderr } = scriptOf(script)
    expect([status, stdout, stderr]).toEqual([
      1,
      '',
      'repository.json: "owner" is null; fill in the account that holds the repository\n',
    ])
  }
})

test('nothing is published but what was packed before', () => {
  fill(NAMED)
  const { status, stderr } = scriptOf('publish.mjs')
  expect([status, stderr]).toEqual([2, 'publish.mjs needs --pack <folder>, or --from <folder> with what was packed\n'])
})

test('one file names the repository for every manifest, the pages of the messages, and CODEOWNERS', () => {
  expect(checkNames(NAMED, copiedPackages(), copiedHomepage()).length).toBe(publicPackages().length + 1)
  fill(NAMED)
  expect(scriptOf('name.mjs')).toMatchObject({ status: 0, stderr: '' })
  expect(checkNames(NAMED, copiedPackages(), copiedHomepage())).toEqual([])
  expect(copiedPackages().find(({ folder: name }) => name === 'hmac')?.manifest).toMatchObject({
    homepage: 'https://an-owner.github.io/countersign/packages/hmac',
    bugs: { url: 'https://github.com/An-Owner/countersign/issues' },
    repository: {
      type: 'git',
      url: 'git+https://github.com/An-Owner/countersign.git',
      directory: 'packages/hmac',
    },
  })
  expect(readFileSync(join(copy, '.github/CODEOWNERS'), 'utf8')).toBe('* @An-Owner\n')
  for (const path of ALERTS) {
    const links = readFileSync(join(copy, path), 'utf8').match(/runbook_url: \S+/g) ?? []
    const page = 'runbook_url: https://an-owner.github.io/countersign/operations/incident-playbook#'
    expect([path, links.length > 10, links.filter((link) => !link.startsWith(page))]).toEqual([path, true, []])
  }
  expect(checkNames({ ...NAMED, name: 'moved' }, copiedPackages(), copiedHomepage()).length).toBe(
    publicPackages().length + 1,
  )
})

test('a README on npm leads to the site and to the repository', () => {
  const text = [
    '![alt](../../docs/callers.svg) [one](../redis) [two](../../docs/guides/hmac.md#x) [three](#here) [four](https://a.example/)',
    '[five](../../docs/examples) [six](../../LICENSE) [![seven](../../docs/a.png)](../../README.md)',
    '```md\n[code](../x.md)\n```',
  ].join('\n')
  const addressed = (repository: Repository) => withAddresses(text, 'packages/hmac/README.md', repository)
  expect(addressed(NAMED)).toBe(
    [
      '![alt](https://raw.githubusercontent.com/An-Owner/countersign/main/docs/callers.svg) [one](https://an-owner.github.io/countersign/packages/redis/) [two](https://an-owner.github.io/countersign/guides/hmac#x) [three](#here) [four](https://a.example/)',
      '[five](https://github.com/An-Owner/countersign/tree/main/docs/examples) [six](https://github.com/An-Owner/countersign/blob/main/LICENSE) [![seven](https://raw.githubusercontent.com/An-Owner/countersign/main/docs/a.png)](https://an-owner.github.io/countersign/)',
      '```md\n[code](../x.md)\n```',
    ].join('\n'),
  )
  expect(addressed({ ...NAMED, owner: null })).toContain('[two](https://countersign.example/guides/hmac#x)')
})

test('each version is in its changelog; a change that waits, and a version without a chapter, are found', () => {
  expect(checkVersions(root, publicPackages())).toEqual([])
  writeFileSync(join(copy, '.changeset/a-change.md'), '---\n"@countersign/hmac": minor\n---\n\nA change.\n')
  const log = join(copy, 'packages/redis/CHANGELOG.md')
  writeFileSync(log, readFileSync(log, 'utf8').replace(/^## .*$/m, '## 0.0.9'))
  expect(checkVersions(copy, copiedPackages())).toEqual([
    '.changeset/a-change.md waits for a version: npm run release:version',
    'packages/redis/CHANGELOG.md does not begin with 0.1.0',
  ])
})

test('the packages are published after those that they need', () => {
  const names = publicPackages().map(({ manifest }) => manifest.name)
  expect(names[0]).toBe('@countersign/core')
  for (const { manifest } of publicPackages()) {
    for (const name of Object.keys(manifest.dependencies ?? {}).filter((each) => names.includes(each))) {
      expect(names.indexOf(name)).toBeLessThan(names.indexOf(manifest.name))
    }
  }
})

test('what is installed with the packages has licences that allow every use', () => {
  expect(checkLicences(root, publicPackages())).toEqual([])
  expect(checkLicences(root, publicPackages(), new Set(['MIT']))).not.toEqual([])
}, 60_000)

test('every package is within its size budget', () => {
  const output = run(process.execPath, [join(root, 'node_modules/size-limit/bin.js'), '--json'], root)
  const sizes = JSON.parse(output.slice(output.indexOf('['))) as { name: string; passed: boolean }[]
  expect(sizes.filter(({ passed }) => !passed)).toEqual([])
  expect(sizes.map(({ name }) => name).sort()).toEqual(
    publicPackages()
      .map(({ manifest }) => manifest.name)
      .sort(),
  )
}, 120_000)

test('npm would publish every package as it is packed, without a correction or a warning', () => {
  const tarballs = join(folder, 'tarballs')
  packInto(tarballs, publicPackages())
  expect(checkDryRun(tarballs, publicPackages())).toEqual([])
}, 170_000)

test('what npm would warn of is found', () => {
  const made = join(folder, 'made', 'package')
  mkdirSync(made, { recursive: true })
  writeFileSync(join(made, 'package.json'), JSON.stringify({ name: 'made', version: '1.0.0', bin: { x: './x.js' } }))
  run('tar', ['-czf', join(folder, 'made-1.0.0.tgz'), '-C', join(folder, 'made'), 'package'], folder)
  const found = checkDryRun(folder, [
    { folder: 'made', tarball: 'made-1.0.0.tgz', manifest: { name: 'made', version: '1.0.0' } },
  ])
  expect(found.join('\n')).toMatch(/^made: npm warn .*No bin file found at x\.js/)
}, 60_000)

test('every action of the workflows is pinned by its digest', () => {
  const workflows = readdirSync(join(root, '.github/workflows'))
  const used = workflows.flatMap((name) =>
    [...readFileSync(join(root, '.github/workflows', name), 'utf8').matchAll(/uses: *(\S+)(.*)/g)].map(
      ([, action, comment]) => `${action}${comment}`,
    ),
  )
  expect(used.length).toBeGreaterThan(5)
  for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w/-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/)
})
