import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { fencesOf, readPages } from '../docs/markdown.js'
import { startPostgres } from '../support/postgres-tables.js'
import { freePort, RedisServer } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { isListening, printedAuthorization, type Running, startProgram, stopProgram, until } from './program.js'
import { packAll } from './tarballs.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const AUDIENCE = 'billing.example.com'

/** The first example of each page, which is a whole program. */
const programs = new Map(
  readPages()
    .filter(({ path }) => path.endsWith('README.md') && !path.startsWith('docs/'))
    .flatMap((page) => {
      const [first] = fencesOf(page).filter(({ language }) => language === 'ts')
      return first === undefined ? [] : [[page.path, first.code] as const]
    }),
)
const fileOf = (page: string) => `${page.replace('/README.md', '').replaceAll(/\W/g, '-')}`

let folder: string
let consumer: Consumer
let issuer: TestIssuer
let redis: RedisServer
let postgres: Awaited<ReturnType<typeof startPostgres>>
const ports = new Map<string, number>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-readmes-'))
  issuer = await testIssuer({ algorithm: 'ES256' })
  redis = await RedisServer.start()
  postgres = await startPostgres()
  const mcp = ['@modelcontextprotocol/server', '@modelcontextprotocol/node', 'zod']
  const types = ['@types/express', '@types/node', '@types/pg']
  const dependencies = ['express', 'ioredis', 'pg', ...types, ...mcp]
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, packAll(folder))
  for (const [page, code] of programs) {
    const port = await freePort()
    ports.set(page, port)
    // As it stands, but for what the machine that runs the tests does not have.
    const here = code
      .replaceAll('3000', String(port))
      .replaceAll('6379', String(redis.port))
      .replaceAll('https://auth.example.com', issuer.url)
    writeFileSync(join(consumer.folder, `${fileOf(page)}.ts`), here)
  }
  consumer.compile({ module: 'nodenext', outDir: 'out' })
}, 180_000)
afterAll(async () => {
  await redis.stop()
  await postgres.stop()
  await issuer.stop()
  rmSync(folder, { recursive: true, force: true })
})

const start = (page: string): Running =>
  startProgram(consumer.folder, join('out', `${fileOf(page)}.js`), ports.get(page) as number, {
    SCHEDULER_HMAC_SECRET: SECRET,
    DATABASE_URL: postgres.server.url,
  })

type Ask = (running: Running) => Promise<Record<'good' | 'bad', Response>>

const post = (url: string, headers: Record<string, string>, body?: string) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: body ?? null })

/** A signature over this body, and over another one. */
const signedTo =
  (path: string, version: number, format?: SignatureFormat): Ask =>
  async ({ url }) => {
    const body = '{"job":7}'
    const headers = () =>
      sign(
        { method: 'POST', url: path, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) },
        {
          caller: 'scheduler',
          version,
          secret: SECRET,
          audience: AUDIENCE,
          ...(format === undefined ? {} : { format }),
        },
      )
    return { good: await post(url + path, headers(), body), bad: await post(url + path, headers(), '{"job":8}') }
  }

const tool = (name: string, input = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } })
const bearerTo =
  (path: string, resource: string): Ask =>
  async ({ url }) => {
    const authorization = async (aud: string) => ({
      authorization: `Bearer ${await issuer.token({ claims: { aud } })}`,
    })
    return {
      good: await post(url + path, await authorization(resource), tool('any')),
      bad: await post(url + path, await authorization('https://other.example.com'), tool('any')),
    }
  }

/** By page: how it is asked, what it answers to the good one, and to the bad one. */
const asked: Record<string, readonly (readonly [Ask, RegExp, number])[]> = {
  'README.md': [
    [signedTo('/internal/executions', 1, xHeaders()), /"kind":"hmac".*"sent":\{"job":7\}/, 401],
    [bearerTo('/mcp', 'https://mcp.example.com/mcp'), /"kind":"oauth-bearer".*"method":"tools\/call"/, 401],
  ],
  'packages/audit/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/core/README.md': [
    [signedTo('/internal', 1), /"caller":"scheduler"/, 401],
    [bearerTo('/jobs', 'https://billing.example.com'), /"startedBy":".+"/, 401],
  ],
  'packages/hmac/README.md': [[signedTo('/internal/executions', 3), /"job":\{"job":7\}/, 401]],
  'packages/mcp-credential/README.md': [
    [
      async (running) => {
        const authorization = await printedAuthorization(running)
        const headers = { authorization, accept: 'application/json, text/event-stream' }
        return {
          good: await post(`${running.url}/mcp`, headers, tool('preview_open', { page: 'index.html' })),
          bad: await post(`${running.url}/mcp`, headers, tool('shell')),
        }
      },
      /index\.html opened for claude-1/,
      403,
    ],
  ],
  'packages/oauth-bearer/README.md': [[bearerTo('/mcp', 'https://mcp.example.com/mcp'), /"kind":"oauth-bearer"/, 401]],
  'packages/postgres/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/redis/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/settings-session/README.md': [
    [
      async (running) => {
        const link = () => /^http:\S+$/m.exec(running.printed())?.[0]
        await until(running, () => link() !== undefined)
        const browser = new TestBrowser(running.url)
        await browser.confirm(link() as string)
        return {
          good: await browser.send('/settings/notifications'),
          bad: await fetch(`${running.url}/settings/notifications`),
        }
      },
      /"settingsOf":"slack:T1:U1"/,
      401,
    ],
  ],
}

describe('the first example of', () => {
  test('every page that has one is run here', () => {
    expect([...programs.keys()].sort()).toEqual([...Object.keys(asked), 'packages/testing/README.md'].sort())
  })

  test.each(Object.entries(asked))(
    '%s is a program that lets the good in and refuses the bad',
    async (page, requests) => {
      const running = start(page)
      try {
        await until(running, () => isListening(running))
        for (const [ask, pattern, refusal] of requests) {
          const { good, bad } = await ask(running)
          expect([good.status, await good.text()]).toEqual([200, expect.stringMatching(pattern)])
          expect([bad.status, bad.headers.get('content-type')]).toEqual([
            refusal,
            expect.stringMatching(/^application\/problem\+json/),
          ])
        }
        if (page === 'README.md')
          await until(running, () => /^access\.denied hmac bad_signature$/m.test(running.printed()))
        if (page === 'packages/audit/README.md') {
          const lines = () => readFileSync(join(consumer.folder, 'audit.jsonl'), 'utf8').trim().split('\n')
          await until(running, () => lines().length === 2)
          expect(lines().join()).toMatch(/"access\.granted".*"digest_mismatch"/)
        }
      } finally {
        await stopProgram(running)
      }
    },
  )

  test('packages/testing/README.md prints what it says', async () => {
    const running = start('packages/testing/README.md')
    await once(running.child, 'close')
    expect(running.printed()).toBe("200\n401\n[ undefined, 'digest_mismatch' ]\n")
  })
})
