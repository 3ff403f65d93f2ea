import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RedisServer } from '../support/redis-server.js'
import { createConsumer } from './consumer.js'
import { packAll, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
const NEEDED = ['@countersign/audit', '@countersign/core', '@countersign/redis']

let redis: RedisServer
let folder: string
let tarballs: Tarball[]
beforeAll(async () => {
  redis = await RedisServer.start()
  folder = mkdtempSync(join(tmpdir(), 'countersign-own-gate-'))
  tarballs = packAll(folder).filter(({ name }) => NEEDED.includes(name))
}, INSTALL_MS)
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
})

const newest = ['express', 'ioredis', '@types/express', '@types/node']
const oldest = ['express@5.0.0', 'ioredis@5.9.0', '@types/express@5.0.0', '@types/node']

test.each([
  ['ESM', 'module', { module: 'nodenext' }, newest],
  ['CommonJS', 'commonjs', { module: 'nodenext' }, newest],
  ['bundled', 'module', { module: 'esnext', moduleResolution: 'bundler' }, newest],
  ['oldest peers', 'module', { module: 'nodenext' }, oldest],
] as const)(
  'a TypeScript app (%s) makes a gate of its own and uses the replay store',
  (name, type, options, dependencies) => {
    expect(tarballs.map((tarball) => tarball.name).sort()).toEqual(NEEDED)
    const consumer = createConsumer(join(folder, name), { folders: ['own-gate'], type, dependencies }, tarballs)
    if (name === 'oldest peers') {
      expect([consumer.versionOf('express'), consumer.versionOf('ioredis')]).toEqual(['5.0.0', '5.9.0'])
    }
    consumer.compile({ ...options, outDir: 'out' })
    expect(consumer.start('out/main.js', { CONSUMER_REDIS_URL: redis.url })).toContain('exercised a gate of its own')

    const wrong =
      "import { principalOf } from '@countersign/core'\nexport const of = () => principalOf({} as never, 'nobody')\n"
    writeFileSync(join(consumer.folder, 'wrong.ts'), wrong)
    expect(() => consumer.compile({ ...options, noEmit: true })).toThrow(/wrong\.ts.*'"nobody"'/)
  },
  INSTALL_MS,
)
