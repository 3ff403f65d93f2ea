import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { HOMEPAGE } from '../../packages/core/src/homepage.js'
import { root } from '../structure/workspace.js'
import { type Consumer, createConsumer } from './consumer.js'
import { cleanEnvironment, packAll } from './tarballs.js'

const FOLDERS = ['core', 'audit', 'redis', 'postgres', 'hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']

let folder: string
let consumer: Consumer
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-warnings-'))
  const project = { folders: ['shared', 'warnings'], type: 'module' as const, dependencies: ['express', 'ioredis'] }
  consumer = createConsumer(join(folder, 'app'), project, packAll(folder, FOLDERS))
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Warned {
  readonly pid: string
  readonly code: string
  readonly text: string
}

/** Runs a program of the app to its end: what it prints, and what Node.js prints of its warnings. */
function start(file: string, env: Readonly<Record<string, string>> = {}) {
  const { NODE_ENV: _, NODE_NO_WARNINGS: _quiet, ...clean } = cleanEnvironment()
  const done = spawnSync(process.execPath, [file], {
    cwd: consumer.folder,
    encoding: 'utf8',
    env: { ...clean, ...env },
    timeout: 50_000,
  })
  if (done.status !== 0) throw new Error(`${file} ended with ${done.status ?? done.signal}:\n${done.stderr}`)
  const warned = Array.from(
    done.stderr.matchAll(/^\(node:(\d+)\) \[(\w+)\] Warning: (.*)$/gm),
    ([, pid = '', code = '', text = '']): Warned => ({ pid, code, text }),
  )
  for (const { code, text } of warned) {
    expect(text.endsWith(` See ${HOMEPAGE}/errors/${code}`)).toBe(true)
    expect([code, existsSync(join(root, 'docs/errors', `${code}.md`))]).toEqual([code, true])
  }
  return { stdout: done.stdout, stderr: done.stderr, warned }
}

test('an app in which much is wrong says each of it once on stderr, with its page and without a credential, however many requests meet it', () => {
  const { stdout, stderr, warned } = start('main.mjs')
  const { base, issuer, diagnosed, client, sent } = JSON.parse(stdout) as {
    base: string
    issuer: string
    diagnosed: unknown
    client: string
    sent: string[]
  }
  const said: [code: string, what: string][] = [
    ['DEPENDENCY_UNAVAILABLE', 'hmac: replay_store is unavailable (Error, ECONNREFUSED)'],
    ['BODY_CONSUMED', 'Mount the gate before'],
    ['INTERNAL_ERROR', 'oauth-bearer: a bug kept the gate from deciding. TypeError at isRevoked (file:'],
    ['OAUTH_WRONG_AUDIENCE', `audiences="https://other.example.com" expected_audiences="${base}/oauth"`],
    ['OAUTH_WRONG_ISSUER', `token_issuer="${issuer}/" expected_issuers="${issuer}"`],
    ['OAUTH_WRONG_ALGORITHM', 'algorithm="HS256" expected_algorithms='],
    ['OAUTH_WRONG_TYPE', 'token_type="JWT" expected_types="at+jwt"'],
    ['OAUTH_CLOCK', 'refused as expired: late_by_seconds='],
    ['OAUTH_METADATA_MISPLACED', `metadata() of ${base}/misplaced is mounted at "/below"`],
    ['OAUTH_METADATA_NOT_MOUNTED', `A challenge points to the metadata of ${base}/unmounted`],
    ['OAUTH_METADATA_BEHIND_GATE', `refused a request for the metadata of ${base}/behind`],
    ['HEADER_REWRITTEN', '"authorization" in req.headers differs from the received request'],
    ['SETTINGS_MISPLACED', 'settings.routes() is mounted at "/elsewhere", but its links lead to /where-links-lead'],
    ['SETTINGS_ROUTES_BEHIND_GATE', 'requireSettingsSession refused a request that opens a link'],
    ['SETTINGS_NOT_PARSED', 'settings.routes() got a body of application/x-www-form-urlencoded'],
    ['DEPENDENCY_RECOVERED', 'hmac: replay_store is available again'],
  ]
  expect(warned.map(({ code, text }) => [code, text])).toEqual(
    said.map(([code, what]) => [`COUNTERSIGN_${code}`, expect.stringContaining(what)]),
  )
  expect(sent.length).toBeGreaterThan(100)
  expect(sent.filter((secret) => stderr.includes(secret))).toEqual([])

  expect(diagnosed).toEqual({
    hmac: [
      'hmac',
      'expired',
      expect.objectContaining({
        late_by_seconds: expect.any(Number),
        window_seconds: 300,
        skew_seconds: expect.any(Number),
      }),
    ],
    'oauth-bearer': [
      'oauth-bearer',
      'wrong_audience',
      expect.objectContaining({
        issuer,
        audiences: 'https://other.example.com',
        expected_audiences: `${base}/oauth`,
      }),
    ],
    'mcp-credential': [
      'mcp-credential',
      'insufficient_scope',
      { why: 'tool', tool: 'files_save', scopes_held: 'preview', scopes_needed: 'files:write' },
    ],
    'settings-session': ['settings-session', 'malformed', { part: 'cookie' }],
  })
  expect(client).toMatch(/127\.0\.0\.1$/)
})

test('each worker of node:cluster says once in production of each memory store that the others do not have what is in it', () => {
  const { warned } = start('workers.mjs', { NODE_ENV: 'production' })
  const pids = [...new Set(warned.map(({ pid }) => pid))]
  expect(pids).toHaveLength(2)
  for (const worker of pids) {
    const own = warned.filter(({ pid }) => pid === worker)
    expect(own.map(({ code, text }) => [code, text.split(' ')[0]])).toEqual(
      ['memoryReplay()', 'memoryCredentials()', 'memorySessions()'].map((store) => [
        'COUNTERSIGN_MEMORY_UNDER_WORKERS',
        store,
      ]),
    )
  }
})
