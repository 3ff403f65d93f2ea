import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readPackages } from '../structure/workspace.js'
import { type Consumer, createConsumer, projects, QUIET } from './consumer.js'
import { packAll, run, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000

/** The gate packages that export something: what exports nothing cannot be consumed. */
const gates = readPackages()
  .filter(({ folder }) => ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session'].includes(folder))
  .filter(({ folder, sources }) =>
    sources.some(({ path, text }) => path === `packages/${folder}/src/index.ts` && text.includes(' from ')),
  )
const names = gates.map(({ folder }) => folder)
const exercised = `exercised [${names.join(', ')}]`

let folder: string
let tarballs: Tarball[]
/** One app with everything, that the apps in JavaScript and TypeScript are folders and files of. */
let app: Consumer
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-gates-'))
  tarballs = packAll(folder)
  const dependencies = ['express', 'ioredis', '@types/express', '@types/node']
  const folders = ['shared', 'inferred', 'params', ...names]
  app = createConsumer(join(folder, 'app'), { folders, type: 'module', dependencies }, tarballs)
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A package with those of ours that it depends on. */
function withItsOwn(name: string): Tarball[] {
  const wanted = new Set([name])
  for (const wantedName of wanted) {
    const found = tarballs.find((tarball) => tarball.name === wantedName)
    for (const dependency of Object.keys(found?.manifest.dependencies ?? {})) {
      if (dependency.startsWith('@countersign/')) wanted.add(dependency)
    }
  }
  return tarballs.filter((tarball) => wanted.has(tarball.name))
}

describe('apps in JavaScript', () => {
  const uses = (load: (specifier: string) => string) => `
const { createAudit } = ${load('@countersign/audit')}
const gates = { ${names.map((name) => `'${name}': ${load(`@countersign/${name}`)}`).join(', ')} }
const express = ${load('express')}.default ?? ${load('express')}
`

  test('an ESM app imports every package and uses every gate', () => {
    const main = `import { exercise } from './exercise.mjs'
import { startIssuer } from './issuer.mjs'
${uses((specifier) => `(await import('${specifier}'))`)}
console.log(await exercise({ express, createAudit, gates, issuer: await startIssuer() }))\n`
    writeFileSync(join(app.folder, 'main.mjs'), main)
    expect(app.start('main.mjs', {}, QUIET).trim()).toBe(exercised)
  })

  test('a CommonJS app requires every package and uses every gate', () => {
    const commonjs = join(app.folder, 'commonjs')
    mkdirSync(commonjs)
    writeFileSync(join(commonjs, 'package.json'), '{"type":"commonjs"}')
    const main = `const { exercise } = require('../exercise.mjs')
const { startIssuer } = require('../issuer.mjs')
${uses((specifier) => `require('${specifier}')`)}
const run = async () => exercise({ express, createAudit, gates, issuer: await startIssuer() })
run().then(console.log)\n`
    writeFileSync(join(commonjs, 'main.js'), main)
    // Node 20 and early 22 say on stderr that require() of ESM is experimental.
    expect(app.start('commonjs/main.js')).toContain(exercised)
  })

  test('every sub-path loads, by import and by require', () => {
    const specifiers = tarballs.flatMap(({ name, manifest }) =>
      Object.keys(manifest.exports ?? {}).map((subPath) => `${name}${subPath.slice(1)}`),
    )
    const optional = tarballs.flatMap(({ manifest }) => Object.keys(manifest.peerDependenciesMeta ?? {}))
    const main = `import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const optional = ${JSON.stringify(optional)}
for (const specifier of ${JSON.stringify(specifiers)}) {
  for (const load of [(name) => import(name), async (name) => require(name)]) {
    await load(specifier).catch((error) => {
      // A sink's library is an optional peer that this app does not have.
      if (!optional.some((name) => error.message.includes(\`'\${name}'\`))) throw error
    })
  }
}
console.log('loaded', ${specifiers.length})\n`
    writeFileSync(join(app.folder, 'sub-paths.mjs'), main)
    expect(app.start('sub-paths.mjs')).toContain(`loaded ${specifiers.length}`)
    expect(specifiers.length).toBeGreaterThanOrEqual(tarballs.length)
  })
})

describe('apps in TypeScript', () => {
  test.each([
    ['nodenext', { module: 'nodenext' }],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ])(
    'with %s resolution an app compiles strictly with every package, emits its declarations, and runs',
    (name, options) => {
      const main = [
        ...names.map((gate, i) => `import { exercise as exercise${i} } from './${gate}.js'`),
        ...names.map((_gate, i) => `await exercise${i}()`),
        `console.log('${exercised}')`,
        'export {}',
      ]
      writeFileSync(join(app.folder, 'main.ts'), main.join('\n'))
      app.compile({ ...options, declaration: true, outDir: `out/${name}` })
      for (const file of readdirSync(join(projects, 'shared')).filter((file) => /(?<!\.d)\.mjs$/.test(file))) {
        cpSync(join(app.folder, file), join(app.folder, `out/${name}`, file))
      }
      expect(app.start(`out/${name}/main.js`, {}, QUIET).trim()).toBe(exercised)
    },
    INSTALL_MS,
  )

  if (names.includes('mcp-credential')) {
    test(
      'an app with one gate needs no ioredis, neither to run nor to compile, and no narrowing',
      () => {
        const without = ['express', '@types/express', '@types/node']
        const project = { folders: ['alone'], type: 'module' as const, dependencies: without }
        const own = withItsOwn('@countersign/mcp-credential')
        expect(own.length).toBeLessThan(tarballs.length)
        const consumer = createConsumer(join(folder, 'alone'), project, own)
        expect(existsSync(join(consumer.folder, 'node_modules', 'ioredis'))).toBe(false)
        consumer.compile({ module: 'nodenext', outDir: 'out' })
        expect(consumer.start('out/main.js')).toContain('exercised alone')

        const wrong = "import { requireMcpCredential } from '@countersign/mcp-credential'\nrequireMcpCredential({})\n"
        writeFileSync(join(consumer.folder, 'wrong.ts'), wrong)
        expect(() => consumer.compile({ module: 'nodenext', noEmit: true })).toThrow(/wrong\.ts.*credentials/)
      },
      INSTALL_MS,
    )
  }
})

describe('the command', () => {
  test(
    'is installed with what it needs, and runs',
    () => {
      const project = { folders: [], type: 'module' as const, dependencies: [] }
      const consumer = createConsumer(join(folder, 'command'), project, withItsOwn('@countersign/cli'))
      const command = (...words: string[]) =>
        run(join(consumer.folder, 'node_modules', '.bin', 'countersign'), words, consumer.folder)
      expect(command('--version').trim()).toBe(consumer.versionOf('@countersign/cli'))
      expect(command('hmac', 'generate', '--caller', 'scheduler')).toMatch(
        /^COUNTERSIGN_HMAC_SECRET_SCHEDULER=\S{64}\n$/,
      )
      // The migrations are those of the installed @countersign/hmac.
      expect(command('hmac', 'migrate', '--print')).toContain(
        'CREATE TABLE IF NOT EXISTS internal_service_hmac_secrets',
      )
      expect(command('doctor')).toMatch(/0 failed/)
      // What few need is installed by those who need it.
      expect(() =>
        run(join(consumer.folder, 'node_modules', '.bin', 'countersign'), ['hmac', 'migrate'], consumer.folder, {
          DATABASE_URL: 'postgres://localhost/app',
        }),
      ).toThrow(
        /ended with 2:\n[^\n]*countersign: PostgreSQL needs the package pg, which is not installed: .*npm install --global pg/,
      )
      expect(() => command('mcp', 'list')).toThrow(/ended with 2:\n[^\n]*countersign: REDIS_URL is not set/)
    },
    INSTALL_MS,
  )
})
