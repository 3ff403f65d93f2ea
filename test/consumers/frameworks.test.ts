import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { buildSync } from 'esbuild'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { root } from '../structure/workspace.js'
import { type Consumer, createConsumer, QUIET } from './consumer.js'
import { type Example, followReadme, readExample, startExample, stopCommand } from './example.js'
import { packAll, run, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
const GATES = ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']
const exercised = `exercised [${GATES.join(', ')}]`

let folder: string
let tarballs: Tarball[]
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-frameworks-'))
  tarballs = packAll(folder)
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A program in TypeScript that uses all gates, and the types that an app infers from them. */
const PROGRAM = ['shared', 'inferred', 'params', ...GATES]

function writeMain(consumer: Consumer): void {
  const imports = GATES.map((gate, i) => `import { exercise as exercise${i} } from './${gate}.js'`)
  const calls = GATES.map((_gate, i) => `await exercise${i}()`).join('\n')
  const main = `${imports.join('\n')}\nasync function main() {\n${calls}\nconsole.log('${exercised}')\n}\nmain()\n`
  writeFileSync(join(consumer.folder, 'main.ts'), main)
}

/** Compiles the program to `out` and runs it there. */
function compileAndRun(consumer: Consumer, options: Readonly<Record<string, unknown>>): void {
  consumer.compile({ declaration: true, ...options, outDir: 'out' })
  for (const file of readdirSync(consumer.folder).filter((file) => /(?<!\.d)\.mjs$/.test(file))) {
    cpSync(join(consumer.folder, file), join(consumer.folder, 'out', file))
  }
  expect(consumer.start('out/main.js')).toContain(exercised)
}

/** Uses all gates on the express of that name. */
function exerciseOn(consumer: Consumer, express: string): string {
  const main = `import { createAudit } from '@countersign/audit'
import express from '${express}'
import { exercise } from './exercise.mjs'
import { startIssuer } from './issuer.mjs'
const gates = {}
for (const name of ${JSON.stringify(GATES)}) gates[name] = await import(\`@countersign/\${name}\`)
console.log(await exercise({ express, createAudit, gates, issuer: await startIssuer() }))\n`
  writeFileSync(join(consumer.folder, 'on.mjs'), main)
  return consumer.start('on.mjs', {}, QUIET).trim()
}

/** Puts a test in CommonJS there that loads every entry of every package and uses all gates. */
function writeJestTest(consumer: Consumer): void {
  buildSync({
    entryPoints: [join(consumer.folder, 'exercise.mjs'), join(consumer.folder, 'issuer.mjs')],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    outdir: consumer.folder,
    outExtension: { '.js': '.cjs' },
  })
  const specifiers = tarballs.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports ?? {}).map((subPath) => `${name}${subPath.slice(1)}`),
  )
  const optional = tarballs.flatMap(({ manifest }) => Object.keys(manifest.peerDependenciesMeta ?? {}))
  const code = `const optional = ${JSON.stringify(optional)}
test.each(${JSON.stringify(specifiers)})('%s loads', (specifier) => {
  try {
    expect(require(specifier)).toBeInstanceOf(Object)
  } catch (error) {
    if (!optional.some((name) => error.message.includes(\`'\${name}'\`))) throw error
  }
})
test('all gates work', async () => {
  const { exercise } = require('./exercise.cjs')
  const { startIssuer } = require('./issuer.cjs')
  const gates = Object.fromEntries(${JSON.stringify(GATES)}.map((name) => [name, require(\`@countersign/\${name}\`)]))
  const { createAudit } = require('@countersign/audit')
  const issuer = await startIssuer()
  expect(await exercise({ express: require('express'), createAudit, gates, issuer })).toBe('${exercised}')
})\n`
  writeFileSync(join(consumer.folder, 'gates.test.js'), code)
}

test(
  'on Express 4.18.0 and the last Express 4 all gates decide as on Express 5, with the types of @types/express 4',
  () => {
    const dependencies = [
      'express@4.18.0',
      'last-express-4@npm:express@4',
      'ioredis',
      '@types/express@4',
      '@types/node',
    ]
    const project = { folders: PROGRAM, type: 'module' as const, dependencies }
    const consumer = createConsumer(join(folder, 'express-4'), project, tarballs)
    expect(consumer.versionOf('express')).toBe('4.18.0')
    expect(consumer.versionOf('last-express-4')).toMatch(/^4\.2[2-9]\./)
    expect(consumer.versionOf('@types/express')).toMatch(/^4\./)
    for (const express of ['express', 'last-express-4']) expect(exerciseOn(consumer, express)).toBe(exercised)
    writeMain(consumer)
    compileAndRun(consumer, { module: 'nodenext' })
  },
  INSTALL_MS,
)

describe('the oldest TypeScript, and Jest 29, in a CommonJS app', () => {
  const FLOOR = '5.8.2'
  let consumer: Consumer
  beforeAll(() => {
    const dependencies = ['express', 'ioredis', '@types/express', '@types/node', `typescript@${FLOOR}`, 'jest@29']
    const project = { folders: PROGRAM, type: 'commonjs' as const, dependencies }
    consumer = createConsumer(join(folder, 'floor'), project, tarballs)
    writeMain(consumer)
  }, INSTALL_MS)

  test('the README says which TypeScript is the oldest', () => {
    expect(consumer.versionOf('typescript')).toBe(FLOOR)
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('TypeScript ≥ 5.8')
  })

  test.each([
    ['node', { module: 'commonjs', moduleResolution: 'node', esModuleInterop: true }],
    ['nodenext', { module: 'nodenext' }],
  ])('compiles strictly with %s resolution, and runs', (_name, options) => {
    compileAndRun(consumer, options)
  })

  test('compiles strictly with bundler resolution', () => {
    consumer.compile({ module: 'esnext', moduleResolution: 'bundler', noEmit: true })
  })

  test('Jest 29 without any configuration loads every package, and all gates work in it', () => {
    expect(consumer.versionOf('jest')).toMatch(/^29\./)
    writeJestTest(consumer)
    expect(consumer.jest('gates.test.js')).toContain('1 passed, 1 total')
  })
})

describe('a Nest 11 app with the configuration of its template', () => {
  const dependencies = [
    ...['common', 'core', 'platform-express'].map((name) => `@nestjs/${name}@11`),
    ...['reflect-metadata@0.2', 'rxjs@7', 'oidc-provider', 'typescript@5.9', 'jest@30', 'ts-jest@29', '@types/jest@30'],
    ...['ioredis', '@types/express', '@types/node'],
  ]
  let consumer: Consumer
  let example: Example
  beforeAll(async () => {
    example = await readExample('nestjs')
    const project = { folders: ['shared'], type: 'commonjs' as const, dependencies, examples: [example] }
    consumer = createConsumer(join(folder, 'nest'), project, tarballs)
  }, INSTALL_MS)

  test('docs/examples/nestjs starts with its own command, compiled strictly, and answers as its README says', async () => {
    const running = await startExample(consumer.folder, example)
    try {
      const there = join(consumer.folder, 'nestjs')
      expect(await followReadme(there)).toEqual([])
      // The link of the README's last line is for a browser.
      const asked = run('npm', ['run', '-s', 'requests'], there)
      const person = new TestBrowser(running.url)
      expect((await person.confirm(/open in a browser: (\S+)/.exec(asked)?.[1] ?? '')).status).toBe(303)
      const page = await person.send('/settings')
      expect([page.status, await page.text()]).toEqual([200, '{"settingsOf":"u1"}'])
    } finally {
      await stopCommand(running)
    }
  }, 300_000)

  test('its tests pass in Jest 30 with ts-jest', () => {
    const output = run('npm', ['test'], join(consumer.folder, 'nestjs'))
    expect(output).toContain('Tests:       3 passed, 3 total')
    expect(output).not.toMatch(/ts-jest\[.*\] \(WARN\)/)
  })

  test('Jest 30 without any configuration loads every package, and all gates work in it', () => {
    expect(consumer.versionOf('jest')).toMatch(/^30\./)
    writeJestTest(consumer)
    expect(consumer.jest('--config={}', 'gates.test.js')).toContain('1 passed, 1 total')
  })
})
