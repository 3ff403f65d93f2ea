import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { linksOf } from '../docs/markdown.js'
import { readPackages, root } from '../structure/workspace.js'
import { checkTarball } from './tarball-rules.js'
import { packAll, runTool, type Tarball } from './tarballs.js'

const publicPackages = readPackages().filter(({ manifest }) => manifest.private !== true)
const names = publicPackages.map(({ manifest }) => manifest.name)

let destination: string
let tarballs: Tarball[]
beforeAll(() => {
  destination = mkdtempSync(join(tmpdir(), 'countersign-pack-'))
  tarballs = packAll(destination)
}, 120_000)
afterAll(() => rmSync(destination, { recursive: true, force: true }))

const tarballOf = (name: string): Tarball => {
  const found = tarballs.find((tarball) => tarball.name === name)
  if (found === undefined) throw new Error(`${name} was not packed`)
  return found
}

test('every public package is packed, and no other', () => {
  expect(tarballs.map(({ name }) => name).sort()).toEqual([...names].sort())
})

test.each(names)('%s holds what is built, its licence, README and changelog, and nothing else', (name) => {
  const { paths, folder } = tarballOf(name)
  const manifestText = readFileSync(join(folder, 'package.json'), 'utf8')
  expect(checkTarball({ name, paths, manifestText })).toEqual([])
  expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'))
})

test.each(names)('%s holds the build of every source, and of no source that is gone', (name) => {
  const one = publicPackages.find(({ manifest }) => manifest.name === name)
  const stems = one?.sources.map(({ path }) =>
    path.replace(`packages/${one.folder}/src/`, 'dist/').replace(/\.ts$/, ''),
  )
  const built = tarballOf(name).paths.filter((path) => path.endsWith('.js'))
  expect(built).toEqual(stems?.map((stem) => `${stem}.js`).sort())
})

test.each(names)('publint has nothing against %s', (name) => {
  expect(runTool('publint', ['run', tarballOf(name).file, '--strict'], destination)).toContain('All good!')
})

test.each(names)(
  'the types of %s resolve as its modules do, with node10, node16 and bundler resolution',
  (name) => {
    const output = runTool('@arethetypeswrong/cli', [tarballOf(name).file, '--format', 'json'], destination)
    const { analysis, problems } = JSON.parse(output) as {
      analysis: { types: { kind: string } | false; entrypoints: Record<string, unknown> }
      problems?: Record<string, unknown>
    }
    expect(analysis.types).toEqual({ kind: 'included' })
    expect(Object.keys(analysis.entrypoints).sort()).toEqual(Object.keys(tarballOf(name).manifest.exports ?? {}).sort())
    expect(problems ?? {}).toEqual({})
  },
  60_000,
)

test.each(names)('the README of %s has no link or picture that leads nowhere on npm', (name) => {
  const text = readFileSync(join(tarballOf(name).folder, 'README.md'), 'utf8')
  const targets = linksOf({ path: 'README.md', text }).map(({ target }) => target)
  expect(targets.length).toBeGreaterThan(3)
  expect(targets.filter((target) => !/^(https:\/\/[\w.]+\/|#)/.test(target))).toEqual([])
})

test('the licences of what is copied into the CommonJS form are with it', () => {
  for (const { folder, paths } of tarballs) {
    const text = paths.filter((path) => path.endsWith('.cjs')).map((path) => readFileSync(join(folder, path), 'utf8'))
    const copied = text.flatMap((each) => [...each.matchAll(/^\/\/ \S*node_modules\/([a-z0-9-]+)\/(?!\.)/gm)])
    const names = [...new Set(copied.map(([, name]) => name))].filter((name) => name !== '.pnpm')
    const licences = paths.includes('dist/cjs/LICENSES.txt')
      ? readFileSync(join(folder, 'dist/cjs/LICENSES.txt'), 'utf8')
      : ''
    for (const name of names) expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n\n[^]*MIT`, 'm'))
    expect(licences === '').toBe(names.length === 0)
  }
})

const BUILT = ['dist/cjs/index.cjs', 'dist/cjs/index.d.cts', 'dist/index.d.ts', 'dist/index.js']

test('a tarball with sources, tests or a stray file, or without its README, is found', () => {
  const good = ['LICENSE', 'README.md', 'CHANGELOG.md', ...BUILT, 'package.json']
  const check = (paths: string[], manifestText = '{}') => checkTarball({ name: 'x', paths, manifestText })
  expect(check(good)).toEqual([])
  expect(check([...good, 'migrations/0001-a-table.sql'])).toEqual([])
  expect(check(good.slice(3))).toEqual(['x lacks LICENSE', 'x lacks README.md', 'x lacks CHANGELOG.md'])
  for (const stray of [
    'src/index.ts',
    'test/a.test.ts',
    'dist/a.test.js.map',
    'dist/a.cjs',
    'dist/cjs/.cjs-1',
    'dist/.tsbuildinfo',
    '.env',
    'dump.sql',
  ]) {
    expect(check([...good, stray])).toEqual([`x holds ${stray}`])
  }
  expect(check([...good, 'dist/a.js'])).toEqual(['x: dist/a.js has no types'])
})

test('a command that is not packed is found', () => {
  const paths = [...BUILT, 'LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']
  const manifestText = JSON.stringify({ bin: { tool: './dist/bin.js' } })
  expect(checkTarball({ name: 'x', paths, manifestText })).toEqual(['x lacks dist/bin.js'])
  const packed = [...paths, 'dist/bin.js', 'dist/bin.d.ts']
  expect(checkTarball({ name: 'x', paths: packed, manifestText })).toEqual([])
})

test('a manifest that only the workspace understands is found', () => {
  const paths = [...BUILT, 'LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']
  for (const word of ['dev-source', 'workspace:', 'catalog:']) {
    const manifestText = JSON.stringify({ a: `${word}^` })
    expect(checkTarball({ name: 'x', paths, manifestText })).toEqual([`x's manifest says ${word}`])
  }
})
