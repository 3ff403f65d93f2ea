import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readPages } from '../docs/markdown.js'
import { isWhole, scriptsOf } from '../docs/programs.js'
import { startPostgres } from '../support/postgres-tables.js'
import { RedisServer } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { complaintsOf, type PageProgram, writePrograms } from './page-programs.js'
import { packAll } from './tarballs.js'

/** What the programs of the pages import beside ours. */
const DEPENDENCIES = [
  ...['express', 'ioredis', 'pg', 'zod', 'ws', 'cors', 'compression', 'pino', 'prom-client'],
  ...['@opentelemetry/api', '@sentry/node', 'openid-client', 'oauth4webapi'],
  ...['server', 'node', 'express', 'client', 'sdk'].map((name) => `@modelcontextprotocol/${name}`),
  ...['express', 'node', 'pg', 'ws', 'cors', 'compression'].map((name) => `@types/${name}`),
]
/** How many run at the same time. */
const LANES = 4

let folder: string
let consumer: Consumer
let issuer: TestIssuer
let redis: RedisServer
let postgres: Awaited<ReturnType<typeof startPostgres>>
let programs: PageProgram[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-pages-'))
  ;[issuer, redis, postgres] = await Promise.all([
    testIssuer({ algorithm: 'ES256' }),
    RedisServer.start('--appendonly', 'yes'),
    startPostgres(),
  ])
  consumer = createConsumer(
    join(folder, 'app'),
    { folders: [], type: 'module', dependencies: DEPENDENCIES },
    packAll(folder),
  )
  programs = await writePrograms(consumer.folder, scriptsOf(readPages()).filter(isWhole), places())
}, 180_000)
afterAll(async () => {
  await Promise.all([redis?.stop(), postgres?.stop(), issuer?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

const places = () => ({ issuer: issuer.url, redis: redis.url, database: postgres.server.url })

test('every whole program of every page compiles', () => {
  consumer.compile({ module: 'nodenext', outDir: 'out', skipLibCheck: true })
})

test('every whole program of every page runs as it stands, until it listens or ends', async () => {
  const complaints: string[] = []
  const waiting = [...programs]
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      complaints.push(...(await complaintsOf(next, places())))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  expect(complaints).toEqual([])
  expect(programs.length).toBeGreaterThan(60)
}, 300_000)

test('a program that fails, warns, or neither listens nor ends is named by its page and line', async () => {
  const fences = [
    "await new Promise((resolve) => setTimeout(resolve, 1))\nthrow new TypeError('broken')",
    "process.emitWarning('look here')",
    'setInterval(() => {}, 1000)',
  ]
  const wholes = fences.map((code, index) => ({ page: 'made-up.md', line: index, language: 'js', code }))
  const [fails, warns, hangs] = await writePrograms(consumer.folder, wholes, places())
  const found = async (program?: PageProgram) =>
    (await complaintsOf(program as PageProgram, places(), { limitMs: 1000 })).join('\n')
  expect(await found(fails)).toMatch(/^made-up\.md:0 ended with 1\nmade-up\.md:0: [\s\S]*TypeError: broken/)
  expect(await found(warns)).toMatch(/^made-up\.md:1: [\s\S]*Warning: look here/)
  expect(await found(hangs)).toBe('made-up.md:2 neither listens nor ends')
}, 60_000)
