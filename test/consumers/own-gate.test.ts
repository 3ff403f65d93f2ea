import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createConsumer } from './consumer.js'
import { packAll, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
const NEEDED = ['@countersign/audit', '@countersign/core', '@countersign/redis']

let folder: string
let tarballs: Tarball[]
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-own-gate-'))
  tarballs = packAll(folder).filter(({ name }) => NEEDED.includes(name))
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['ESM', 'module', { module: 'nodenext' }],
  ['CommonJS', 'commonjs', { module: 'nodenext' }],
  ['bundled', 'module', { module: 'esnext', moduleResolution: 'bundler' }],
] as const)(
  'a TypeScript app (%s) makes a gate of its own from the packed core',
  (name, type, options) => {
    expect(tarballs.map((tarball) => tarball.name).sort()).toEqual(NEEDED)
    const dependencies = ['express', 'ioredis', '@types/express', '@types/node']
    const consumer = createConsumer(join(folder, name), { folders: ['own-gate'], type, dependencies }, tarballs)
    consumer.compile({ ...options, outDir: 'out' })
    expect(consumer.start('out/main.js')).toContain('exercised a gate of its own')

    const wrong =
      "import { principalOf } from '@countersign/core'\nexport const of = () => principalOf({} as never, 'nobody')\n"
    writeFileSync(join(consumer.folder, 'wrong.ts'), wrong)
    expect(() => consumer.compile({ ...options, noEmit: true })).toThrow(/wrong\.ts.*'"nobody"'/)
  },
  INSTALL_MS,
)
