import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readPages } from '../docs/markdown.js'
import { isRunElsewhere, isWhole, scriptsOf } from '../docs/programs.js'
import { startPostgres } from '../support/postgres-tables.js'
import { RedisServer } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { asShown, sendCurl, shownAnswers } from './curl.js'
import { complaintsOf, type PageProgram, start, writePrograms } from './page-programs.js'
import { isListening, type Running, stopProgram, until } from './program.js'
import { asked } from './readme-requests.js'
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

/** The first program of a page, while it is used. */
async function running(page: string, use: (running: Running, program: PageProgram) => Promise<void>): Promise<void> {
  const program = programs.find(({ place }) => place.startsWith(`${page}:`)) as PageProgram
  const child = start(program, places())
  try {
    await until(child, () => isListening(child))
    await use(child, program)
  } finally {
    await stopProgram(child)
  }
}

describe('the first program of', () => {
  test('every README that has one is asked here', () => {
    const readmes = programs
      .map(({ place }) => place.split(':')[0] ?? '')
      .filter((page) => /^(packages.*)?README/.test(page))
    expect([...new Set(readmes)].sort()).toEqual([...Object.keys(asked), 'packages/testing/README.md'].sort())
  })

  test.each(Object.entries(asked))('%s lets the good in and refuses the bad', (page, requests) =>
    running(page, async (child, { state }) => {
      for (const [ask, pattern, refusal] of requests) {
        const { good, bad } = await ask(child, issuer)
        expect([good.status, await good.text()]).toEqual([200, expect.stringMatching(pattern)])
        expect([bad.status, bad.headers.get('content-type')]).toEqual([
          refusal,
          expect.stringMatching(/^application\/problem\+json/),
        ])
      }
      if (page === 'README.md') await until(child, () => /^access\.denied hmac bad_signature$/m.test(child.printed()))
      if (page === 'packages/audit/README.md') {
        const lines = () => readFileSync(join(state, 'audit.jsonl'), 'utf8').trim().split('\n')
        await until(child, () => lines().length === 2)
        expect(lines().join()).toMatch(/"access\.granted".*"digest_mismatch"/)
      }
    }),
  )

  test('packages/testing/README.md prints what it says', async () => {
    const program = programs.find(({ place }) => place.startsWith('packages/testing/README.md:')) as PageProgram
    const child = start(program, places())
    await once(child.child, 'close')
    expect(child.printed()).toBe("200\n401\n[ undefined, 'digest_mismatch' ]\n")
  })
})

/** The answers that pages show; that of the command is asked for where the command is started. */
const shown = readPages()
  .filter((page) => page.path !== 'packages/cli/README.md' && !isRunElsewhere(page))
  .flatMap(shownAnswers)

test('the pages show answers', () => {
  expect(shown.length).toBeGreaterThan(7)
})

test.each(shown)('the answer below $place is what the program of the page answers', ({ place, command, answer }) =>
  running(place.split(':')[0] ?? '', async ({ url }) => {
    const response = await sendCurl(command, (asked) => asked.replace('http://localhost:3000', url))
    expect((await asShown(response, answer)).replaceAll(url.slice('http://'.length), 'localhost:3000')).toBe(answer)
  }),
)

test('a program that fails, warns, or neither listens nor ends is named by its page and line', async () => {
  const fences = [
    "await new Promise((resolve) => setTimeout(resolve, 1))\nthrow new TypeError('broken')",
    "process.emitWarning('look here')",
    'setInterval(() => {}, 1000)',
  ]
  const wholes = fences.map((code, index) => ({ page: 'made-up.md', line: index, language: 'js', code }))
  const [fails, warns, hangs] = await writePrograms(consumer.folder, wholes, places())
  const found = async (program?: PageProgram, limits?: { limitMs: number }) =>
    (await complaintsOf(program as PageProgram, places(), limits)).join('\n')
  expect(await found(fails)).toMatch(/^made-up\.md:0 ended with 1\nmade-up\.md:0: [\s\S]*TypeError: broken/)
  expect(await found(warns)).toMatch(/^made-up\.md:1: [\s\S]*Warning: look here/)
  expect(await found(hangs, { limitMs: 1000 })).toBe('made-up.md:2 neither listens nor ends')
}, 60_000)
