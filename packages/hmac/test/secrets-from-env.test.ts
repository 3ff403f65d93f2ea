import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { secretsFromEnv } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'

const SECRET = 'x'.repeat(40)
const callers = ['job-runner']

describe('secretsFromEnv', () => {
  test('reads the versions of each caller, under the names that the app has', async () => {
    const env = { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: SECRET, COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V2: SECRET }
    const versions = await secretsFromEnv(env, { callers }).versions('job-runner')
    expect(versions.map(({ version }) => version)).toEqual([2, 1])
    const named = secretsFromEnv({ INTERNAL_KEY: SECRET }, { callers, names: { 'job-runner': 'INTERNAL_KEY' } })
    expect(await named.versions('job-runner')).toHaveLength(1)
  })

  test.each([
    ['a missing secret', {}, 'COUNTERSIGN_HMAC_SECRET_JOB_RUNNER must hold'],
    ['an empty one', { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: '' }, 'at least 32 bytes'],
    ['a file that is not there', { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_FILE: '/nowhere' }, 'cannot be read'],
    [
      'version 1 twice',
      { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: SECRET, COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V1: SECRET },
      'both version 1',
    ],
    [
      'a variable and its file',
      { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: SECRET, COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_FILE: '/x' },
      'both set',
    ],
  ])('fails the start with %s', (_what, env, message) => {
    const read = () => secretsFromEnv(env, { callers })
    expect(read).toThrow(message)
    expect(read).not.toThrow(SECRET)
  })

  test.each([
    [['job', 'job-v2'], {}],
    [['a.b', 'a-b'], {}],
    [['a', 'b'], { a: 'KEY', b: 'KEY' }],
    [['a', 'b'], { a: 'KEY_V2', b: 'KEY' }],
  ])('fails the start when one variable could be read for two of %j', (two, names) => {
    expect(() => secretsFromEnv({}, { callers: two, names })).toThrow('would be read for both')
  })

  test.each([
    [{ COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V2: 'short' }, {}, 'COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V2'],
    [{ INTERNAL_KEY: 'short' }, { 'job-runner': 'INTERNAL_KEY' }, 'INTERNAL_KEY'],
  ])('names the variable that was set when its secret is too short: %j', (env, names, variable) => {
    expect(() => secretsFromEnv(env, { callers, names })).toThrow(`secretsFromEnv: "${variable}" must be a secret of`)
  })

  test('names the variable of a file whose secret is too short', () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-env-'))
    writeFileSync(join(folder, 'secret'), 'short\n')
    const env = { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_FILE: join(folder, 'secret') }
    expect(() => secretsFromEnv(env, { callers })).toThrow('"COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_FILE" must be')
    rmSync(folder, { recursive: true })
  })

  test('reads the shared secret, beside which a caller may have its own', async () => {
    const env = {
      COUNTERSIGN_HMAC_SECRET_SHARED: SECRET,
      COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: SECRET,
      COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR: 'job-runner',
    }
    const secrets = secretsFromEnv(env, { callers: ['*shared*', 'job-runner', 'reports'] })
    expect(secrets.list().map(({ caller, version, acceptsShared }) => [caller, version, acceptsShared])).toEqual([
      ['*shared*', 1, undefined],
      ['job-runner', 1, true],
    ])
    const named = secretsFromEnv({ ALL_KEY: SECRET }, { callers: ['*shared*'], names: { '*shared*': 'ALL_KEY' } })
    expect(named.versions('*shared*')).toHaveLength(1)
  })

  test.each([
    ['no shared secret', { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER: SECRET }, 'COUNTERSIGN_HMAC_SECRET_SHARED must hold'],
    [
      'a misspelt caller',
      { COUNTERSIGN_HMAC_SECRET_SHARED: SECRET, COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR: 'job-runer' },
      'COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR names "job-runer"',
    ],
  ])('fails the start with %s', (_what, env, message) => {
    expect(() => secretsFromEnv(env, { callers: ['*shared*', 'job-runner'] })).toThrow(message)
  })

  test('reads each version from a file, without the newline at its end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-env-'))
    writeFileSync(join(folder, 'secret'), `${SECRET}\n`)
    const env = { COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V7_FILE: join(folder, 'secret') }
    const [secret] = secretsFromEnv(env, { callers }).versions('job-runner')
    expect(secret?.key?.export().toString()).toBe(SECRET)
    rmSync(folder, { recursive: true })
  })
})
