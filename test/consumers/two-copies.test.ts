import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Consumer, createConsumer } from './consumer.js'
import { packAll, run, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
const FOLDERS = ['core', 'hmac']

let folder: string
let consumer: Consumer
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-two-copies-'))
  const packed = join(folder, 'packed')
  mkdirSync(packed)
  const tarballs = packAll(packed, FOLDERS)
  const library = packLibrary(tarballs.map((tarball) => packNext(tarball, tarballs)))
  const project = { folders: ['two-copies'], type: 'module' as const, dependencies: ['express'] }
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
    "export * as core from '@countersign/core'\nexport * as kit from '@countersign/core/gate-kit'\nexport * as hmac from '@countersign/hmac'\n",
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

  const OURS = ['core', 'core/gate-kit', 'hmac'].map((name) => `@countersign/${name}`)

  test('has one emitter, one proof of principals and one kind of outage, in ESM', () => {
    writeFileSync(
      join(consumer.folder, 'main.mjs'),
      `import express from 'express'
import * as theirs from 'a-library'
import { check } from './check.mjs'
const [core, kit, hmac] = await Promise.all(${JSON.stringify(OURS)}.map((name) => import(name)))
await check(express, { core, kit, hmac }, theirs)\n`,
    )
    expect(consumer.start('main.mjs')).toContain('two copies are one')
  })

  test('has them in CommonJS, too', () => {
    writeFileSync(
      join(consumer.folder, 'main.cjs'),
      `const { check } = require('./check.mjs')
const [core, kit, hmac] = ${JSON.stringify(OURS)}.map((name) => require(name))
check(require('express'), { core, kit, hmac }, require('a-library'))\n`,
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
const [core, kit, hmac] = ${JSON.stringify(OURS)}.map((name) => require(name))
if (core.audit !== audit) throw new Error('import and require have two emitters')
await check(express, { core, kit, hmac }, theirs)\n`,
    )
    expect(consumer.start('mixed.mjs')).toContain('two copies are one')
  })

  test('has them where one part is in the CommonJS form, which Node.js loads only if require() of ESM is off', () => {
    writeFileSync(
      join(consumer.folder, 'forms.mjs'),
      `import { createRequire } from 'node:module'
import express from 'express'
import * as core from '@countersign/core'
import * as kit from '@countersign/core/gate-kit'
import * as hmac from '@countersign/hmac'
import * as theirs from 'a-library'
import { check } from './check.mjs'
const require = createRequire(import.meta.url)
console.log(require.resolve('@countersign/core').replaceAll('\\\\', '/'))
const [coreOfTools, kitOfTools, hmacOfTools] = ${JSON.stringify(OURS)}.map((name) => require(name))
const ofTools = { core: coreOfTools, kit: kitOfTools, hmac: hmacOfTools }
console.log(coreOfTools.principalOf === core.principalOf ? 'one form' : 'two forms')
await check(express, ofTools, process.argv[2] === 'ours' ? { core, kit, hmac } : theirs)\n`,
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
