import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HmacOptionsFromEnvOptions, hmacOptionsFromEnv } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, hmacApp, send } from './harness.js'

const options: HmacOptionsFromEnvOptions = { callers: ['scheduler', 'job-runner'], legacyHeaders: ['x-service-key'] }
const KEY = 'the-0ld-k3y'
let app: Harness | undefined
afterEach(async () => {
  await app?.close()
  app = undefined
})

test('a caller may be called as a member of every object is', () => {
  const env = { COUNTERSIGN_HMAC_LEGACY_CONSTRUCTOR: KEY, COUNTERSIGN_HMAC_REQUIRE_CONSTRUCTOR: 'false' }
  expect(hmacOptionsFromEnv(env, { callers: ['constructor', 'scheduler'], legacyHeaders: ['x-service-key'] })).toEqual({
    legacy: { headers: ['x-service-key'], keys: { constructor: [KEY] } },
    enforce: { constructor: false },
  })
  const nobodys = { COUNTERSIGN_HMAC_LEGACY_SCHEDULER: KEY, COUNTERSIGN_HMAC_REQUIRE_CONSTRUCTOR: 'false' }
  expect(() => hmacOptionsFromEnv(nobodys, { ...options, callers: ['constructor', 'scheduler'] })).toThrow(
    'COUNTERSIGN_HMAC_REQUIRE_CONSTRUCTOR is false, but the old key of this caller is not set',
  )
})

describe('the rollout from the environment', () => {
  test.each<[string, Record<string, string>, object]>([
    ['nothing', {}, {}],
    ['the end of the rollout', { COUNTERSIGN_HMAC_REQUIRE: 'true' }, { enforce: true }],
    [
      'an old key',
      { COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER: KEY },
      { legacy: { headers: ['x-service-key'], keys: { 'job-runner': [KEY] } } },
    ],
    [
      'an old key that all share, and the kill switch',
      { COUNTERSIGN_HMAC_LEGACY_SHARED: KEY, COUNTERSIGN_HMAC_REQUIRE: '1' },
      { legacy: { headers: ['x-service-key'], keys: { '*shared*': [KEY] } }, enforce: true },
    ],
    [
      'the switch of one caller',
      {
        COUNTERSIGN_HMAC_LEGACY_SCHEDULER: KEY,
        COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER: 'older',
        COUNTERSIGN_HMAC_REQUIRE_SCHEDULER: 'true',
      },
      {
        legacy: { headers: ['x-service-key'], keys: { scheduler: [KEY], 'job-runner': ['older'] } },
        enforce: { scheduler: true, 'job-runner': false },
      },
    ],
    [
      'the switch of all, but not of one',
      {
        COUNTERSIGN_HMAC_LEGACY_SCHEDULER: KEY,
        COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER: 'older',
        COUNTERSIGN_HMAC_REQUIRE: 'true',
        COUNTERSIGN_HMAC_REQUIRE_JOB_RUNNER: '0',
      },
      {
        legacy: { headers: ['x-service-key'], keys: { scheduler: [KEY], 'job-runner': ['older'] } },
        enforce: { scheduler: true, 'job-runner': false },
      },
    ],
  ])('reads %s', (_what, env, expected) => {
    expect(hmacOptionsFromEnv(env, options)).toEqual(expected)
  })

  test('reads the names that the app has', () => {
    const env = { INTERNAL_AUTH_REQUIRE_HMAC: 'false', INTERNAL_KEY: KEY, COUNTERSIGN_HMAC_REQUIRE: 'true' }
    const names = { require: 'INTERNAL_AUTH_REQUIRE_HMAC', legacy: { scheduler: 'INTERNAL_KEY' } }
    expect(hmacOptionsFromEnv(env, { ...options, names })).toEqual({
      legacy: { headers: ['x-service-key'], keys: { scheduler: [KEY] } },
      enforce: false,
    })
  })

  test('reads files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-env-'))
    writeFileSync(join(folder, 'key'), `${KEY}\n`)
    writeFileSync(join(folder, 'switch'), 'false\n')
    const env = {
      COUNTERSIGN_HMAC_LEGACY_SCHEDULER_FILE: join(folder, 'key'),
      COUNTERSIGN_HMAC_REQUIRE_FILE: join(folder, 'switch'),
    }
    expect(hmacOptionsFromEnv(env, options)).toMatchObject({ legacy: { keys: { scheduler: [KEY] } }, enforce: false })
    rmSync(folder, { recursive: true })
  })

  test.each<[string, Record<string, string>, Partial<HmacOptionsFromEnvOptions>, string]>([
    ['yes for true', { COUNTERSIGN_HMAC_REQUIRE: 'yes' }, {}, 'must be true, false, 1 or 0'],
    ['TRUE for true', { COUNTERSIGN_HMAC_REQUIRE: 'TRUE' }, {}, 'must be true, false, 1 or 0'],
    ['an empty switch', { COUNTERSIGN_HMAC_REQUIRE: '' }, {}, 'must be true, false, 1 or 0'],
    ['an empty key', { COUNTERSIGN_HMAC_LEGACY_SCHEDULER: '' }, {}, 'COUNTERSIGN_HMAC_LEGACY_SCHEDULER is empty'],
    ['"not required" without an old key', { COUNTERSIGN_HMAC_REQUIRE: 'false' }, {}, 'no request could get in'],
    [
      '"not required" for a caller without an old key',
      { COUNTERSIGN_HMAC_LEGACY_SCHEDULER: KEY, COUNTERSIGN_HMAC_REQUIRE_JOB_RUNNER: 'false' },
      {},
      'COUNTERSIGN_HMAC_REQUIRE_JOB_RUNNER is false',
    ],
    [
      'an old key without headers',
      { COUNTERSIGN_HMAC_LEGACY_SCHEDULER: KEY },
      { legacyHeaders: undefined as never },
      '"legacyHeaders" is required',
    ],
    [
      'a key of a misspelt caller',
      { COUNTERSIGN_HMAC_LEGACY_SHCEDULER: KEY },
      {},
      'Did you mean COUNTERSIGN_HMAC_LEGACY_SCHEDULER?',
    ],
    [
      'a switch of nobody',
      { COUNTERSIGN_HMAC_REQUIRE_NOBODY_AT_ALL: 'true' },
      {},
      'COUNTERSIGN_HMAC_REQUIRE_NOBODY_AT_ALL is set',
    ],
    [
      'a variable and its file',
      { COUNTERSIGN_HMAC_REQUIRE: 'true', COUNTERSIGN_HMAC_REQUIRE_FILE: '/x' },
      {},
      'are both set',
    ],
    [
      '"not required", and names the app\'s own variables',
      { INTERNAL_REQUIRE: 'false' },
      { names: { require: 'INTERNAL_REQUIRE', legacy: { scheduler: 'INTERNAL_KEY' } } },
      'INTERNAL_REQUIRE is false, but an old key is not set (INTERNAL_KEY, COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER, COUNTERSIGN_HMAC_LEGACY_SHARED)',
    ],
    [
      'one key in two variables',
      { INTERNAL_KEY: KEY, COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER: KEY },
      { names: { legacy: { scheduler: 'INTERNAL_KEY' } } },
      'INTERNAL_KEY and COUNTERSIGN_HMAC_LEGACY_JOB_RUNNER have the same key',
    ],
    [
      'a key without headers, by the variable of the app',
      { INTERNAL_KEY: KEY },
      { legacyHeaders: undefined as never, names: { legacy: { scheduler: 'INTERNAL_KEY' } } },
      'is required with INTERNAL_KEY',
    ],
    ['a file that is not there', { COUNTERSIGN_HMAC_LEGACY_SCHEDULER_FILE: '/nowhere' }, {}, 'cannot be read'],
    ['callers that are none', {}, { callers: ['A'] }, 'option "callers" must be'],
    ['two callers of one variable', {}, { callers: ['a-b', 'a.b'] }, 'would be read for both'],
    ['a name for nobody', {}, { names: { legacy: { nobody: 'X' } } }, '"nobody" is not one of "callers"'],
    ['a misspelt option', {}, { legacyHeader: [] } as never, 'Did you mean "legacyHeaders"?'],
  ])('fails the start with %s', (_what, env, rest, message) => {
    const read = () => hmacOptionsFromEnv(env, { ...options, ...rest })
    expect(read).toThrow(message)
    expect(read).not.toThrow(KEY)
  })

  test('is what requireHmac takes', async () => {
    const env = { COUNTERSIGN_HMAC_LEGACY_SCHEDULER: 'old-key', COUNTERSIGN_HMAC_REQUIRE: 'false' }
    app = await hmacApp(hmacOptionsFromEnv(env, { ...options, callers: ['scheduler'] }))
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(200)
  })
})
