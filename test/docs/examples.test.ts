import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { examplesFolder, filesOf, isAnswer, isRefusal, readReadme } from '../consumers/example.js'
import { fencesOf, readPages } from './markdown.js'
import { isWhole, RUN_ELSEWHERE } from './programs.js'

const names = readdirSync(examplesFolder)
const read = (path: string) => readFileSync(join(examplesFolder, path), 'utf8')

/** The files that a page shows whole, by page. */
const shown: Readonly<Record<string, readonly string[]>> = {
  'docs/guides/hosted-mcp-server.md': ['hosted-mcp-server/server.ts', 'hosted-mcp-server/server-v1.ts'],
  'docs/guides/nestjs.md': filesOf(join(examplesFolder, 'nestjs/src')).map((name) => `nestjs/src/${name}`),
  'docs/guides/settings-session.md': ['settings-page/app.ts', 'slack-bot/app.ts', 'telegram-bot/app.ts'],
  'docs/recipes/docker-compose.md': ['compose/app.js', 'compose/compose.yaml', 'compose/Dockerfile'],
  'docs/recipes/express-4.md': ['express-4/app.js', 'express-4/requests.mjs'],
  'docs/recipes/lambda.md': ['lambda-webhook/index.js', 'lambda-webhook/send.js'],
}
/** Pages that name the addresses of a deployment where the example has those of this machine. */
const deployed = (code: string) =>
  code
    .replaceAll('http://localhost:3000', 'https://mcp.example.com')
    .replaceAll('http://localhost:4000', 'https://auth.example.com')

test.each(Object.entries(shown))('%s shows the files of its example as they are', (path, files) => {
  const fences = readPages()
    .filter((page) => page.path === path)
    .flatMap(fencesOf)
  const codes = files.map((file) => (path === 'docs/guides/hosted-mcp-server.md' ? deployed(read(file)) : read(file)))
  expect(fences.map(({ code }) => `${code}\n`)).toEqual(expect.arrayContaining(codes))
  // What no other test runs is in one of those files.
  if (RUN_ELSEWHERE[path] === undefined) return
  const scripts = fences.filter((fence) => isWhole(fence) && ['ts', 'js'].includes(fence.language))
  expect(scripts.map(({ code }) => `${code}\n`).filter((code) => !codes.includes(code))).toEqual([])
})

test.each(['issuer.mjs', 'start.mjs', 'requests.mjs'])('%s is the same in each example that has it', (file) => {
  const copies = names.filter((name) => readdirSync(join(examplesFolder, name)).includes(file))
  expect(copies.length).toBeGreaterThan(1)
  expect(new Set(copies.map((name) => read(`${name}/${file}`))).size).toBe(1)
})

describe.each(names)('the example %s', (name) => {
  const manifest = JSON.parse(read(`${name}/package.json`)) as Record<string, Record<string, string>>

  test('is private, has a command that starts it, and declares what it imports', () => {
    expect([manifest.private, typeof manifest.scripts?.start]).toEqual([true, 'string'])
    const codes = filesOf(join(examplesFolder, name))
      .filter((file) => /\.[cm]?[jt]s$/.test(file))
      .map((file) => read(join(name, file)))
    const imported = codes
      .flatMap((code) => Array.from(code.matchAll(/(?:^import |from |require\()'((?:@[^/']+\/)?[^/'.][^/']*)/gm)))
      .map(([, specifier = '']) => specifier)
      .filter((specifier) => !specifier.startsWith('node:') && !builtinModules.includes(specifier))
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
    // Nest's template has no more of Express than its types.
    const isDeclared = (specifier: string) => declared.includes(specifier) || declared.includes(`@types/${specifier}`)
    expect([...new Set(imported)].filter((specifier) => !isDeclared(specifier))).toEqual([])
  })
})

/** The console has a page in the place of a README, and the link of the settings page is for a browser: test/consumers opens it. */
test.each(names.filter((name) => !['console', 'settings-page'].includes(name)))(
  'the README of %s shows what is granted, and what is refused',
  (name) => {
    const { requests } = readReadme(join(examplesFolder, name))
    const lines = requests.flatMap(({ answer }) => answer.split('\n'))
    expect([lines.some(isRefusal), lines.some((line) => !isRefusal(line))]).toEqual([true, true])
  },
)

test('an answer is compared to its end, and an ellipsis stands for text on one line', () => {
  expect(isAnswer('{"a":…}', '{"a":1}\n')).toBe(true)
  expect(isAnswer('{"a":1}', '{"a":1} and more')).toBe(false)
  expect(isAnswer('a…c', 'a\nc')).toBe(false)
  expect(isAnswer('a.c', 'abc')).toBe(false)
})
