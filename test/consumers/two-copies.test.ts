import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Consumer, createConsumer } from './consumer.js'
import { packAll, run, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
/** What an app with all four gates has of ours. */
const FOLDERS = ['core', 'redis', 'postgres', 'hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']

/** By the name that the checks have for it, what each copy is loaded by. */
const MODULES = {
  core: '@countersign/core',
  kit: '@countersign/core/gate-kit',
  hmac: '@countersign/hmac',
  oauth: '@countersign/oauth-bearer',
  mcp: '@countersign/mcp-credential',
  settings: '@countersign/settings-session',
}
const required = `Object.fromEntries(Object.entries(${JSON.stringify(MODULES)}).map(([name, path]) => [name, require(path)]))`
const imports = Object.entries(MODULES).map(([name, path]) => `import * as ${name} from '${path}'`)
const imported = `{ ${Object.keys(MODULES).join(', ')} }`

let folder: string
let consumer: Consumer
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-two-copies-'))
  const packed = join(folder, 'packed')
  mkdirSync(packed)
  const tarballs = packAll(packed, FOLDERS)
  const library = packLibrary(tarballs.map((tarball) => packNext(tarball, tarballs)))
  const project = { folders: ['shared', 'two-copies'], type: 'module' as const, dependencies: ['express', 'ioredis'] }
  consumer = createConsumer(join(folder, 'app'), project, [...tarballs, library])
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Packed = Pick<Tarball, 'name' | 'file'>

/** Packs a folder with npm. */
function pack(name: string, from: string): Packed {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts'], from)) as [{ filename: string }]
  return { name, file: join(from, filename) }
}

/** The same build as version 0.2.0, which needs 0.2.0 of the others. */
function packNext({ name, folder: content, manifest }: Tarball, ours: readonly Tarball[]): Packed {
  const copy = join(folder, 'next', name.replace('/', '-'))
  cpSync(content, copy, { recursive: true })
  const dependencies = Object.entries(manifest.dependencies ?? {}).map(([dependency, range]) => [
    dependency,
    ours.some((tarball) => tarball.name === dependency) ? '^0.2.0' : range,
  ])
  const next = { ...manifest, version: '0.2.0', dependencies: Object.fromEntries(dependencies) }
  writeFileSync(join(copy, 'package.json'), JSON.stringify(next))
  return pack(name, copy)
}

/** A library that stands on 0.2.0, as an app has one among its dependencies. */
function packLibrary(next: readonly Packed[]): Packed {
  const content = join(folder, 'library')
  mkdirSync(content)
  const dependencies = Object.fromEntries(next.map(({ name, file }) => [name, `file:${file}`]))
  const manifest = { name: 'a-library', version: '1.0.0', type: 'module', exports: './index.js', dependencies }
  writeFileSync(join(content, 'package.json'), JSON.stringify(manifest))
  writeFileSync(
    join(content, 'index.js'),
    Object.entries(MODULES)
      .map(([name, path]) => `export * as ${name} from '${path}'\n`)
      .join(''),
  )
  return pack('a-library', content)
}

describe('an app with two versions of the packages in one tree', () => {
  test('is what npm makes of an app on 0.1.0 and a library on 0.2.0', () => {
    const versionAt = (...path: string[]) =>
      (
        JSON.parse(readFileSync(join(consumer.folder, 'node_modules', ...path, 'package.json'), 'utf8')) as {
          version: string
        }
      ).version
    for (const name of FOLDERS) {
      expect(versionAt('@countersign', name)).toBe('0.1.0')
      expect(versionAt('a-library', 'node_modules', '@countersign', name)).toBe('0.2.0')
    }
  })

  test('has one emitter, one proof of principals and one kind of outage, in ESM', () => {
    writeFileSync(
      join(consumer.folder, 'main.mjs'),
      `import express from 'express'
${imports.join('\n')}
import * as theirs from 'a-library'
import { check } from './check.mjs'
await check(express, ${imported}, theirs)\n`,
    )
    expect(consumer.start('main.mjs')).toContain('two copies are one')
  })

  test('has them in CommonJS, too', () => {
    writeFileSync(
      join(consumer.folder, 'main.cjs'),
      `const { check } = require('./check.mjs')
check(require('express'), ${required}, require('a-library'))\n`,
    )
    expect(consumer.start('main.cjs')).toContain('two copies are one')
  })

  test('has them where one part is loaded by import and the other one by require', () => {
    writeFileSync(
      join(consumer.folder, 'mixed.mjs'),
      `import { createRequire } from 'node:module'
import express from 'express'
import { audit } from '@countersign/core'
import * as theirs from 'a-library'
import { check } from './check.mjs'
const require = createRequire(import.meta.url)
const ours = ${required}
if (ours.core.audit !== audit) throw new Error('import and require have two emitters')
await check(express, ours, theirs)\n`,
    )
    expect(consumer.start('mixed.mjs')).toContain('two copies are one')
  })

  test('has them where one part is in the CommonJS form, which Node.js loads only if require() of ESM is off', () => {
    writeFileSync(
      join(consumer.folder, 'forms.mjs'),
      `import { createRequire } from 'node:module'
import express from 'express'
${imports.join('\n')}
import * as theirs from 'a-library'
import { check } from './check.mjs'
const require = createRequire(import.meta.url)
console.log(require.resolve('@countersign/core').replaceAll('\\\\', '/'))
const ofTools = ${required}
console.log(ofTools.core.principalOf === core.principalOf ? 'one form' : 'two forms')
await check(express, ofTools, process.argv[2] === 'ours' ? ${imported} : theirs)\n`,
    )
    writeFileSync(join(consumer.folder, 'ours.mjs'), "process.argv[2] = 'ours'\nawait import('./forms.mjs')\n")
    const normally = consumer.start('forms.mjs')
    expect(normally).toContain('@countersign/core/dist/index.js')
    expect(normally).toContain('one form')
    for (const file of ['forms.mjs', 'ours.mjs']) {
      const output = consumer.start(file, { NODE_OPTIONS: '--no-experimental-require-module' })
      expect(output).toContain('@countersign/core/dist/cjs/index.cjs')
      expect(output).toContain('two forms')
      expect(output).toContain('two copies are one')
    }
  })
})
