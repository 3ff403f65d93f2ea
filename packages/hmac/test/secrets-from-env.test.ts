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
  ])('fails the start with %s', (_what, env, message) => {
    expect(() => secretsFromEnv(env, { callers })).toThrow(message)
  })
})
