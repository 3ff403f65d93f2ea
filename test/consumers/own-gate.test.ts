import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { fencesOf, readPages } from '../docs/markdown.js'
import { root } from '../structure/workspace.js'
import { RedisServer } from '../support/redis-server.js'
import { type Consumer, createConsumer } from './consumer.js'
import { cleanEnvironment, packAll, type Tarball } from './tarballs.js'

const INSTALL_MS = 180_000
const NEEDED = ['core', 'redis', 'postgres', 'hmac', 'mcp-credential', 'settings-session', 'testing']
const FILES = ['require-device.ts', 'app.mjs', 'require-device.test.mjs']

let redis: RedisServer
let folder: string
let tarballs: Tarball[]
beforeAll(async () => {
  redis = await RedisServer.start()
  folder = mkdtempSync(join(tmpdir(), 'countersign-own-gate-'))
  tarballs = packAll(folder, NEEDED)
}, INSTALL_MS)
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
})

test('the page about gates of your own has the very code that is run here', () => {
  const page = readPages().find(({ path }) => path === 'docs/write-your-own-gate.md')
  const code = (page === undefined ? [] : fencesOf(page)).map((fence) => `${fence.code}\n`)
  for (const file of FILES) {
    const text = readFileSync(join(root, 'test/consumers/projects/own-gate', file), 'utf8')
    expect(code.filter((each) => each === text)).toHaveLength(1)
  }
})

const newest = ['express', 'ioredis', '@types/express', '@types/node']
const oldest = ['express@5.0.0', 'ioredis@5.9.0', '@types/express@5.0.0', '@types/node']

describe.each([
  ['ESM', 'module', { module: 'nodenext' }, newest],
  ['CommonJS', 'commonjs', { module: 'nodenext' }, newest],
  ['bundled', 'module', { module: 'esnext', moduleResolution: 'bundler' }, newest],
  ['oldest peers', 'module', { module: 'nodenext' }, oldest],
] as const)('a TypeScript app (%s)', (name, type, options, dependencies) => {
  let consumer: Consumer
  beforeAll(() => {
    expect(tarballs.map((tarball) => tarball.name).sort()).toEqual(NEEDED.map((each) => `@countersign/${each}`).sort())
    consumer = createConsumer(join(folder, name), { folders: ['own-gate'], type, dependencies }, tarballs)
    consumer.compile(options)
  }, INSTALL_MS)

  test(
    'makes a gate of its own and uses the replay store',
    () => {
      if (name === 'oldest peers') {
        expect([consumer.versionOf('express'), consumer.versionOf('ioredis')]).toEqual(['5.0.0', '5.9.0'])
      }
      expect(consumer.start('main.js', { CONSUMER_REDIS_URL: redis.url })).toContain('exercised a gate of its own')
    },
    INSTALL_MS,
  )

  test(
    'has a gate that keeps to the contract of gates',
    () => {
      // Which reporter is the default depends on the version of Node.
      const output = consumer.start('require-device.test.mjs', { NODE_TEST_CONTEXT: '' }, ['--test-reporter=tap'])
      expect(output).toMatch(/^# pass [12]\d$/m)
      expect(output).toContain('# fail 0')
    },
    INSTALL_MS,
  )

  test('runs its routes behind it', async () => {
    const child = spawn(process.execPath, ['app.mjs'], {
      cwd: consumer.folder,
      env: { ...cleanEnvironment(), PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const lines: string[] = []
      const output = createInterface({ input: child.stdout })
      output.on('line', (line) => lines.push(line))
      const [first] = (await once(output, 'line')) as [string]
      const url = `http://127.0.0.1:${/^listening on (\d+)$/.exec(first)?.[1]}`
      const ask = async (method: string, path: string, key: string) =>
        (await fetch(`${url}${path}`, { method, headers: { 'X-Device-Key': key } })).status
      expect(await ask('GET', '/status', 'sensor-8.the-secret-of-sensor-8')).toBe(200)
      expect(await ask('POST', '/measurements', 'sensor-8.the-secret-of-sensor-8')).toBe(403)
      expect(await ask('POST', '/measurements', 'sensor-7.the-secret-of-sensor-7')).toBe(204)
      expect(await ask('GET', '/status', 'sensor-7.the-secret-of-sensor-8')).toBe(401)
      while (lines.length < 6) await once(output, 'line')
      expect(lines.slice(1)).toEqual([
        'access.granted - sensor-8',
        'access.granted - sensor-8',
        'access.denied insufficient_scope sensor-8',
        'access.granted - sensor-7',
        'access.denied bad_secret unknown',
      ])
    } finally {
      child.kill('SIGKILL')
    }
  }, 30_000)

  test('is told by the compiler of a principal that no gate has', () => {
    writeFileSync(
      join(consumer.folder, 'wrong.ts'),
      "import { principalOf } from '@countersign/core'\nexport const of = () => principalOf({} as never, 'nobody')\n",
    )
    expect(() => consumer.compile({ ...options, noEmit: true })).toThrow(/wrong\.ts.*'"nobody"'/)
  }, 60_000)
})
