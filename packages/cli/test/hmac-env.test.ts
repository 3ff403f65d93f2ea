import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { secretsFromEnv } from '@countersign/hmac'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { countersign, refuse, succeed, succeedJson } from './command.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a secret and a key-encryption key are generated in the form that the environment takes', async () => {
  const line = await succeed(['hmac', 'generate', '--caller', 'scheduler'])
  const env = parseEnv(line) as Record<string, string>
  expect(secretsFromEnv(env, { callers: ['scheduler'] }).list('scheduler')).toHaveLength(1)
  expect(await succeed(['hmac', 'generate', '--kek-id', 'k2'])).toMatch(/^k2:[A-Za-z0-9+/]{43}=\n$/)
  await refuse(['hmac', 'generate', '--bytes', '16'], 2, /from 32 to 1024/)
  await refuse(['hmac', 'generate', '--caller', 'Not A Name'], 2, /a caller is a name of/)
})

test('a file of variables is seeded, rotated and revoked, and its other lines are unchanged', async () => {
  const file = join(folder, '.env')
  writeFileSync(file, '# of the app\nPORT=3000\n\nexport GREETING="good day"', { mode: 0o640 })
  const store = ['--dotenv', file]
  const secret = (await succeed(['hmac', 'seed', 'job-runner', '--generate', ...store])).trim()
  expect(readFileSync(file, 'utf8')).toBe(
    `# of the app\nPORT=3000\n\nexport GREETING="good day"\nCOUNTERSIGN_HMAC_SECRET_JOB_RUNNER=${secret}\n`,
  )
  expect(statSync(file).mode & 0o777).toBe(0o640)
  const rotated = await countersign(['hmac', 'rotate', 'job-runner', ...store])
  expect(rotated).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('then revoke the previous one') })
  expect(parseEnv(readFileSync(file, 'utf8')).COUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V2).toBe(rotated.stdout.trim())
  expect(await succeedJson(['hmac', 'list', ...store])).toEqual([
    { caller: 'job-runner', version: 2, state: 'active' },
    { caller: 'job-runner', version: 1, state: 'active' },
  ])
  await succeed(['hmac', 'revoke', 'job-runner', '--key-version', '1', ...store])
  expect(readFileSync(file, 'utf8')).toBe(
    `# of the app\nPORT=3000\n\nexport GREETING="good day"\nCOUNTERSIGN_HMAC_SECRET_JOB_RUNNER_V2=${rotated.stdout}`,
  )
  await refuse(['hmac', 'rotate', 'job-runner', '--grace', '1h', ...store], 2, /stores no dates/)
  await refuse(['hmac', 'rotate', 'nobody', ...store], 4, /no secret of "nobody" is stored/)
  await refuse(['hmac', 'seed', 'job-runner', '--generate', '--dotenv', join(folder, 'no', 'such')], 2, /cannot be/)
})

test('the environment of the command itself is read and cannot be changed', async () => {
  const env = { COUNTERSIGN_HMAC_SECRET_SCHEDULER: SECRET }
  expect(await succeedJson(['hmac', 'list'], { env })).toEqual([{ caller: 'scheduler', version: 1, state: 'active' }])
  await refuse(['hmac', 'rotate', 'scheduler'], 2, /set COUNTERSIGN_HMAC_SECRET_SCHEDULER_V2 where/, { env })
  const revoke = ['hmac', 'revoke', 'scheduler', '--key-version', '1']
  await refuse(revoke, 2, /remove COUNTERSIGN_HMAC_SECRET_SCHEDULER where/, { env })
  const short = { COUNTERSIGN_HMAC_SECRET_SCHEDULER: 'short' }
  await refuse(['hmac', 'list'], 2, /at least 32 bytes/, { env: short })
})

test('the shared secret has a variable of a valid name, and commands take it under that', async () => {
  const line = await succeed(['hmac', 'generate', '--caller', '*shared*'])
  expect(line).toMatch(/^COUNTERSIGN_HMAC_SECRET_SHARED=[A-Za-z0-9+/]{64}\n$/)
  const file = join(folder, 'shared.env')
  const store = ['--dotenv', file]
  const secret = (await succeed(['hmac', 'seed', '*shared*', '--generate', ...store])).trim()
  expect(readFileSync(file, 'utf8')).toBe(`COUNTERSIGN_HMAC_SECRET_SHARED=${secret}\n`)
  await succeed(['hmac', 'rotate', '*shared*', ...store])
  expect(await succeedJson(['hmac', 'list', ...store])).toEqual([
    { caller: '*shared*', version: 2, state: 'active' },
    { caller: '*shared*', version: 1, state: 'active' },
  ])
  const env = parseEnv(readFileSync(file, 'utf8')) as Record<string, string>
  expect(secretsFromEnv(env, { callers: ['*shared*'] }).versions('*shared*')).toHaveLength(2)
  await refuse(['hmac', 'seed', 'scheduler', '--generate', ...store], 2, /use "hmac split scheduler"/)
  await refuse(['hmac', 'split', 'scheduler', ...store], 2, /add "scheduler" to COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR/)
  await refuse(
    ['hmac', 'forget', 'scheduler', '--all', '--yes', ...store],
    2,
    /remove COUNTERSIGN_HMAC_SECRET_SCHEDULER/,
  )
})

test('the doctor names the variable of a short secret', async () => {
  const env = { COUNTERSIGN_HMAC_SECRET_SHARED: 'short', COUNTERSIGN_HMAC_SECRET_SCHEDULER_V2: 'short' }
  const { exitCode, stdout } = await countersign(['hmac', 'doctor'], { env })
  expect(exitCode).toBe(1)
  expect(stdout).toMatch(/"COUNTERSIGN_HMAC_SECRET_SHARED" must be a secret of at least 32 bytes/)
  expect(stdout).toMatch(/"COUNTERSIGN_HMAC_SECRET_SCHEDULER_V2" must be a secret of at least 32 bytes/)
})
