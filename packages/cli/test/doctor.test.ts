import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { freePort, RedisServer } from '../../../test/support/redis-server.js'
import { checkNode } from '../src/doctor/doctor.js'
import { countersign, succeed } from './command.js'

let redis: RedisServer
let postgres: PostgresServer
let folder: string
let env: Record<string, string>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  ;[redis, postgres] = await Promise.all([RedisServer.start('--appendonly', 'yes'), PostgresServer.start()])
  env = {
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    COUNTERSIGN_HMAC_KEKS: `k1:${randomBytes(32).toString('base64')}`,
    COUNTERSIGN_HMAC_SECRET_SCHEDULER: randomBytes(48).toString('base64'),
    COUNTERSIGN_HMAC_REQUIRE: 'true',
  }
  await succeed(['hmac', 'migrate'], { env })
  await succeed(['hmac', 'seed', 'scheduler'], { env })
}, 60_000)
afterAll(async () => {
  await Promise.all([redis.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

async function report(given: Record<string, string>) {
  const result = await countersign(['doctor', '--json'], { env: given })
  const { ok, checks } = JSON.parse(result.stdout) as {
    ok: boolean
    checks: { id: string; status: string; detail: string; remedy?: string }[]
  }
  expect([result.exitCode, result.stderr]).toEqual([ok ? 0 : 1, ''])
  for (const { status, remedy } of checks) expect(remedy !== undefined).toBe(status === 'warn' || status === 'fail')
  const found = (wanted: string) => checks.filter(({ status }) => status === wanted).map(({ id }) => id)
  return { checks, failed: found('fail'), warned: found('warn'), passed: found('pass') }
}

describe('doctor', () => {
  test('[cli-real-stores] passes a machine without faults', async () => {
    const { failed, warned, passed } = await report(env)
    expect({ failed, warned }).toEqual({ failed: [], warned: [] })
    expect(passed).toEqual([
      'node',
      'environment',
      'hmac-secret-scheduler',
      'hmac-keks',
      'hmac-store',
      'hmac-caller-scheduler',
      'redis',
      'redis-role',
      'redis-clock',
      'redis-memory',
      'redis-settings',
    ])
    expect(await succeed(['doctor'], { env })).toMatch(/\n11 passed, 0 failed, 0 warnings\n$/)
  })

  test('skips what is not configured', async () => {
    const { failed, warned, passed } = await report({})
    expect({ failed, warned, passed }).toEqual({ failed: [], warned: [], passed: ['node', 'environment'] })
  })

  test('finds a Redis that evicts, does not persist, is full, or is a replica', async () => {
    const bad = await RedisServer.start('--maxmemory-policy', 'allkeys-lru', '--maxmemory', '1mb')
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(redis.port), '--appendonly', 'yes')
    try {
      const found = await report({ REDIS_URL: bad.url })
      expect(found.failed).toEqual(['redis-evicts'])
      expect(found.warned).toEqual(expect.arrayContaining(['redis-no-aof', 'redis-memory']))
      expect((await report({ REDIS_URL: replica.url })).failed).toEqual(['redis-role'])
    } finally {
      await Promise.all([bad.stop(), replica.stop()])
    }
  })

  test('finds variables that are misspelt, incomplete, or in files that others can read', async () => {
    const file = join(folder, 'secret')
    writeFileSync(file, `${randomBytes(48).toString('base64')}\n`, { mode: 0o644 })
    const { checks, failed, warned } = await report({
      COUNTERSIGN_HMAC_SECRT_SCHEDULER: 'x',
      COUNTERSIGN_HMAC_KEKS: env.COUNTERSIGN_HMAC_KEKS as string,
      COUNTERSIGN_HMAC_SECRET_BILLING_FILE: file,
      COUNTERSIGN_HMAC_REQUIRE: 'yes',
      COUNTERSIGN_HMAC_LEGACY_BILLING: '',
      SETTINGS_OAUTH_CLIENT_ID: 'app',
    })
    expect(failed.sort()).toEqual(['environment-value', 'environment-value', 'settings-oauth'])
    expect(warned.sort()).toEqual(['environment-file', 'environment-half', 'environment-name'])
    expect(checks.find(({ id }) => id === 'environment-name')?.remedy).toBe('Did you mean COUNTERSIGN_HMAC_SECRET_?')
    expect(checks.find(({ id }) => id === 'settings-oauth')?.detail).toContain('SETTINGS_OAUTH_CLIENT_SECRET')
  })

  test('[cli-bad-inputs] finds stores that cannot be reached, and keys that decrypt nothing', async () => {
    const port = await freePort()
    const gone = await report({
      ...env,
      REDIS_URL: `redis://:the-password@127.0.0.1:${port}`,
      DATABASE_URL: `postgres://u:the-password@127.0.0.1:${port}/db`,
    })
    expect(gone.failed).toEqual(['hmac-store', 'redis'])
    expect(JSON.stringify(gone.checks)).not.toContain('the-password')
    const wrong = await report({ ...env, COUNTERSIGN_HMAC_KEKS: `k1:${randomBytes(32).toString('base64')}` })
    expect(wrong.failed).toEqual(['hmac-store', 'hmac-caller-scheduler'])
  })
})

test('the supported versions of Node are those of the packages', () => {
  const status = (version: string) => checkNode(version).status
  expect(['20.19.0', '22.12.0', '24.0.0'].map(status)).toEqual(['pass', 'pass', 'pass'])
  expect(['18.20.0', '20.18.0', '21.7.0', '22.11.0'].map(status)).toEqual(['fail', 'fail', 'fail', 'fail'])
})
