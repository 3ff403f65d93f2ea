import { createCipheriv, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireHmac } from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { LossyProxy } from '../../../test/support/lossy-proxy.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { countersign, refuse, succeed, succeedJson } from './command.js'

const KEK = `k1:${randomBytes(32).toString('base64')}`
const OTHER = `k2:${randomBytes(32).toString('base64')}`
const WRONG = `k1:${randomBytes(32).toString('base64')}`
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

let server: PostgresServer
let db: pg.Client
let folder: string
let env: Record<string, string>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  server = await PostgresServer.start()
  db = new pg.Client({ connectionString: server.url })
  await db.connect()
  env = { DATABASE_URL: server.url, COUNTERSIGN_HMAC_KEKS: KEK }
  await refuse(['hmac', 'list'], 2, /does not exist: run "countersign hmac migrate"/, { env })
  expect(await succeed(['hmac', 'migrate'], { env })).toMatch(/^ran 0001-internal-service-hmac-secrets\.sql\n/)
}, 60_000)
beforeEach(() => db.query('DELETE FROM internal_service_hmac_secrets'))
afterAll(async () => {
  await db.end()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Listed {
  readonly caller: string
  readonly version: number
  readonly state: string
}
const states = async (settings = { env }) =>
  (await succeedJson<Listed[]>(['hmac', 'list'], settings)).map(({ caller, version, state }) => [
    `${caller}/${version}`,
    state,
  ])

describe('the secrets in PostgreSQL', () => {
  test('[cli-real-stores] are seeded, rotated with a pending version, listed and revoked', async () => {
    const first = (await succeed(['hmac', 'seed', 'scheduler', '--generate'], { env })).trim()
    expect(first).toMatch(/^[A-Za-z0-9+/]{64}$/)
    const pending = await countersign(['hmac', 'rotate', 'scheduler', '--pending'], { env })
    expect(pending).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('Version 2 is pending') })
    expect(pending.stdout.trim()).not.toBe(first)
    expect(await states()).toEqual([
      ['scheduler/2', 'pending'],
      ['scheduler/1', 'active'],
    ])
    const forced = await countersign(['hmac', 'rotate', 'scheduler', '--grace', '1h'], { env })
    expect(forced).toMatchObject({ exitCode: 0, stdout: 'scheduler/2\n' })
    const table = await succeed(['hmac', 'list', 'scheduler'], { env })
    expect(table).toMatch(
      /^caller +version +state +created +expires\nscheduler +2 +active +\S+Z +-\nscheduler +1 +active/,
    )
    const [, second] = await succeedJson<{ expiresAt: string }[]>(['hmac', 'list'], { env })
    const hours = (Date.parse(second?.expiresAt ?? '') - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(0.9)
    expect(hours).toBeLessThan(1.1)
    expect(await succeed(['hmac', 'revoke', 'scheduler', '--key-version', '1'], { env })).toBe('revoked scheduler/1\n')
    expect(await states()).toEqual([
      ['scheduler/2', 'active'],
      ['scheduler/1', 'revoked'],
    ])
    expect(await succeedJson(['hmac', 'revoke', 'scheduler', '--all', '--yes'], { env })).toEqual({
      caller: 'scheduler',
      revoked: [2],
    })
  })

  test('are rotated once, and the new one is printed, when the answer to each step is lost', async () => {
    await succeed(['hmac', 'seed', 'scheduler', '--generate'], { env })
    const proxy = new LossyProxy(server.url)
    const lossy = { ...env, DATABASE_URL: await proxy.listen() }
    for (const [text, version] of [
      ['INSERT', 2],
      ['UPDATE', 3],
    ] as const) {
      proxy.lose = { text, times: 1 }
      const { secret } = await succeedJson<{ secret: string }>(['hmac', 'rotate', 'scheduler'], { env: lossy })
      expect([proxy.lost, secret]).toEqual([version - 1, expect.stringMatching(/^[A-Za-z0-9+/]{64}$/)])
      const listed = await succeedJson<{ expiresAt?: string }[]>(['hmac', 'list'], { env })
      expect(listed.map(({ expiresAt }) => expiresAt === undefined)).toEqual([true, ...Array(version - 1).fill(false)])
    }
    proxy.close()
  })

  test('are moved from the environment, and once only', async () => {
    const from = {
      ...env,
      COUNTERSIGN_HMAC_SECRET_SCHEDULER: SECRET,
      COUNTERSIGN_HMAC_SECRET_SCHEDULER_V3: `${SECRET}3`,
    }
    expect(await succeed(['hmac', 'seed', 'scheduler'], { env: from })).toBe('scheduler/1\nscheduler/3\n')
    await refuse(['hmac', 'seed', 'scheduler'], 1, /already has a secret, version 3: use "hmac rotate"/, { env: from })
    expect(await succeedJson(['hmac', 'seed', 'scheduler', '--if-absent'], { env: from })).toEqual({
      caller: 'scheduler',
      stored: [],
    })
  })

  test('are written to a file with mode 0600, or read from one', async () => {
    const out = join(folder, 'scheduler.secret')
    const said = await succeed(['hmac', 'seed', 'scheduler', '--generate', '--out', out], { env })
    expect(said).toBe(`scheduler/1: the secret is in ${out}\n`)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(readFileSync(out, 'utf8')).toMatch(/^[A-Za-z0-9+/]{64}\n$/)
    const rotated = await countersign(['hmac', 'rotate', 'scheduler', '--secret-file', '-'], {
      env,
      input: `${SECRET}\n`,
    })
    expect(rotated).toMatchObject({ exitCode: 0, stdout: 'scheduler/2\n' })
    await refuse(['hmac', 'rotate', 'scheduler', '--secret-file', '-'], 2, /at least 32 bytes/, {
      env,
      input: 'short\n',
    })
  })

  test('are re-encrypted with another key-encryption key, and unknown keys are named', async () => {
    await succeed(['hmac', 'seed', 'scheduler', '--generate'], { env })
    await succeed(['hmac', 'seed', 'billing', '--generate'], { env })
    const moved = await succeed(['hmac', 'reencrypt'], { env: { ...env, COUNTERSIGN_HMAC_KEKS: `${OTHER},${KEK}` } })
    expect(moved).toBe('re-encrypted 2\n')
    const other = { ...env, COUNTERSIGN_HMAC_KEKS: OTHER }
    expect(await states({ env: other })).toEqual([
      ['billing/1', 'active'],
      ['scheduler/1', 'active'],
    ])
    const stale = await countersign(['hmac', 'reencrypt'], { env })
    expect(stale).toMatchObject({ exitCode: 2, stdout: 're-encrypted 0\n' })
    expect(stale.stderr).toMatch(
      /^countersign: stored secrets cannot be decrypted: .* key-encryption key "k2"[^\n]*\n$/,
    )
  })

  test('[cli-bad-inputs] are not changed with the wrong key-encryption key', async () => {
    await succeed(['hmac', 'seed', 'scheduler', '--generate'], { env })
    const wrong = { ...env, COUNTERSIGN_HMAC_KEKS: WRONG }
    for (const words of [
      ['seed', 'billing', '--generate'],
      ['rotate', 'scheduler'],
    ]) {
      await refuse(['hmac', ...words], 2, /lacks or has a different key-encryption key "k1"/, { env: wrong })
    }
    const listed = await countersign(['hmac', 'list'], { env: wrong })
    expect(listed).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/scheduler +1 +unreadable/) })
    expect(await states()).toEqual([['scheduler/1', 'active']])
  })

  test('are imported from the envelopes of another system', async () => {
    const kek = randomBytes(32)
    const envelope = (caller: string, version: number) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', kek, iv).setAAD(Buffer.from(`${caller}:${version}`))
      const text = Buffer.concat([cipher.update(SECRET), cipher.final()])
      return [iv, cipher.getAuthTag(), text].map((part) => part.toString('base64')).join(':')
    }
    const rows = [1, 2].map((version) =>
      JSON.stringify({ caller: 'scheduler', version, envelope: envelope('scheduler', version) }),
    )
    const file = join(folder, 'sealed.jsonl')
    writeFileSync(file, `${rows.join('\n')}\n`)
    const withKek = { ...env, COUNTERSIGN_HMAC_IMPORT_KEK: kek.toString('base64') }
    expect(await succeed(['hmac', 'import', file], { env: withKek })).toBe('imported 2\n')
    expect(await succeed(['hmac', 'import', file], { env: withKek })).toBe('imported 0, skipped 2 existing\n')
    expect(await succeedJson(['hmac', 'import', '--skip-existing'], { env: withKek, input: rows.join('\n') })).toEqual({
      imported: 0,
      existing: 2,
    })
    await db.query('DELETE FROM internal_service_hmac_secrets')
    const otherKek = { ...env, COUNTERSIGN_HMAC_IMPORT_KEK: randomBytes(32).toString('hex') }
    await refuse(['hmac', 'import', file], 1, /this key does not decrypt it/, { env: otherKek })
    await refuse(['hmac', 'import'], 2, /line 2 must be/, { env: withKek, input: `${rows[0]}\n{"caller":1}` })
    await refuse(['hmac', 'import'], 2, /--kek-file or set COUNTERSIGN_HMAC_IMPORT_KEK/, { env, input: rows[0] })
  })
})

describe('a gate on the same database', () => {
  test('accepts what the command stored, and refuses within its cache time what the command revoked', async () => {
    const client = { query: (text: string, values?: unknown[]) => db.query(text, values) }
    const { audit, reasons } = recordedAudit()
    const secrets = postgresSecrets(client, { keks: KEK, cacheSeconds: 1, audit })
    const app = express()
    app.get(
      '/jobs',
      requireHmac({ secrets, audience: 'a.example.com', callers: ['scheduler'], audit }),
      (_request, response) => {
        response.end('done')
      },
    )
    const running = await serve(app)
    try {
      await succeed(['hmac', 'seed', 'scheduler', '--generate', '--out', join(folder, 'v1')], { env })
      const curl = (version: number) =>
        countersign([
          ...['hmac', 'curl', 'GET', `${running.url}/jobs`, '--caller', 'scheduler', '--audience', 'a.example.com'],
          ...['--secret-file', join(folder, `v${version}`), '--key-version', String(version)],
        ])
      const untilRefused = async (version: number) => {
        while ((await curl(version)).exitCode === 0);
      }
      expect(await curl(1)).toMatchObject({ exitCode: 0, stdout: 'done' })
      await succeed(['hmac', 'rotate', 'scheduler', '--grace', '0s', '--out', join(folder, 'v2')], { env })
      await untilRefused(1)
      expect(await curl(2)).toMatchObject({ exitCode: 0 })
      await succeed(['hmac', 'revoke', 'scheduler', '--key-version', '2'], { env })
      await untilRefused(2)
      expect(reasons().at(-1)).toBe('no_active_secret')
    } finally {
      await running.close()
    }
  }, 60_000)
})

describe('errors are reported in one line', () => {
  test.each([
    [['rotate', 'nobody'], /no secret of "nobody" is stored/],
    [['revoke', 'nobody', '--all', '--yes'], /no secret of "nobody" is stored/],
    [['list', 'nobody'], /no secret of "nobody" is stored/],
  ])('[cli-bad-inputs] for an unknown caller: hmac %j', async (words, message) => {
    await refuse(['hmac', ...words], 4, message, { env })
  })

  test('[cli-bad-inputs] for an unknown version', async () => {
    await succeed(['hmac', 'seed', 'scheduler', '--generate'], { env })
    await refuse(['hmac', 'revoke', 'scheduler', '--key-version', '7'], 4, /no version 7: it has 1/, { env })
    await refuse(['hmac', 'revoke', 'scheduler'], 2, /give --key-version, or --all/, { env })
  })

  test('[cli-bad-inputs] for a database that cannot be reached, or a wrong URL', async () => {
    const url = `postgres://countersign:the-password@127.0.0.1:${await freePort()}/postgres`
    for (const command of ['list', 'reencrypt', 'migrate']) {
      await refuse(['hmac', command], 3, /PostgreSQL cannot be reached \(ECONNREFUSED\): check the host/, {
        env: { ...env, DATABASE_URL: url },
      })
    }
    const nowhere = server.url.replace('/postgres', '/nowhere')
    await refuse(['hmac', 'list'], 2, /names does not exist/, { env: { ...env, DATABASE_URL: nowhere } })
    const badUrl = { ...env, DATABASE_URL: 'mysql://user:the-password@host/db' }
    await refuse(['hmac', 'list'], 2, /^(?!.*the-password).*is not a PostgreSQL URL/s, { env: badUrl })
  })

  test('[cli-bad-inputs] for a database that accepts connections and does not answer', async () => {
    server.pause()
    try {
      await refuse(['hmac', 'list'], 3, /PostgreSQL cannot be reached/, { env })
    } finally {
      server.resume()
    }
  }, 30_000)

  test('[cli-bad-inputs] for key-encryption keys that are missing or malformed', async () => {
    const { COUNTERSIGN_HMAC_KEKS: _, ...without } = env
    await refuse(['hmac', 'list'], 2, /COUNTERSIGN_HMAC_KEKS is not set/, { env: without })
    await refuse(['hmac', 'list'], 2, /"id:base64" entries/, { env: { ...env, COUNTERSIGN_HMAC_KEKS: 'k1:short' } })
    const both = { ...env, COUNTERSIGN_HMAC_KEKS_FILE: '/nowhere' }
    await refuse(['hmac', 'list'], 2, /both set/, { env: both })
  })
})
