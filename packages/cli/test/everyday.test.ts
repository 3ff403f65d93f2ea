import { spawnSync } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { createAudit } from '@countersign/core'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { confirmAll } from '../src/confirm.js'
import { Output } from '../src/output.js'
import { countersign, refuse, succeed, succeedJson } from './command.js'

let server: RedisServer
let redis: Redis
let env: Record<string, string>
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  env = { REDIS_URL: server.url }
}, 30_000)
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const { audit } = recordedAudit()
const agents = () => createMcpCredentials({ store: redisCredentials(redis), audit })

test('the start of a credential id is enough, when no other id has it', async () => {
  const credentials = agents()
  const issue = (threadId: string) => credentials.issue({ threadId, providerInstanceId: 'p', onExisting: 'keep' })
  const [one, other, third] = [await issue('t1'), await issue('t2'), await issue('t1')]
  expect(await succeedJson(['mcp', 'show', other.credentialId.slice(0, 6)], { env })).toMatchObject({
    credentialId: other.credentialId,
    standing: 'live',
  })
  // Those of one thread have a common start.
  const common = one.credentialId.slice(0, 11)
  await refuse(['mcp', 'revoke', common], 2, new RegExp(`2 credentials have ids that start with ${common}`), { env })
  await refuse(['mcp', 'show', 'zzzz'], 4, /there is no such credential/, { env })
  await refuse(['mcp', 'show', 'zz'], 2, /not the id of a credential, nor its first four letters/, { env })
  expect(await succeed(['mcp', 'revoke', other.credentialId.slice(0, 6)], { env })).toBe(
    `revoked credential ${other.credentialId}\n`,
  )
  const standings = [one, other, third].map(async ({ token }) => (await credentials.resolve(token)).standing)
  expect(await Promise.all(standings)).toEqual(['live', 'revoked', 'live'])
})

test('what ends everything is not done where nobody can be asked, unless --yes is given', async () => {
  const credentials = agents()
  const { token } = await credentials.issue({ threadId: 't1', providerInstanceId: 'p' })
  await refuse(['mcp', 'revoke', '--all'], 2, /every credential of every agent.* confirm with --yes/, { env })
  await refuse(['hmac', 'revoke', 'scheduler', '--all'], 2, /confirm with --yes/)
  await refuse(['hmac', 'forget', 'scheduler', '--all'], 2, /confirm with --yes/)
  await refuse(['mcp', 'revoke', '--thread', 't1', '--yes'], 2, /--yes needs --all/, { env })
  expect((await credentials.resolve(token)).standing).toBe('live')
  await succeed(['mcp', 'revoke', '--all', '--yes'], { env })
  expect((await credentials.resolve(token)).standing).toBe('revoked')
})

test('on a terminal it is done when the answer is yes, and not for any other answer', async () => {
  const ask = async (answer: string | undefined) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true })
    const output = new Output(new PassThrough(), new PassThrough(), {})
    const signal = new AbortController().signal
    const asked = confirmAll({ env: {}, stdin, output, audit: createAudit(), signal }, { all: true }, 'This ends all.')
    stdin.end(answer)
    return asked.then(
      () => 'done',
      ({ message, exitCode }: { message: string; exitCode: number }) => `${exitCode}: ${message}`,
    )
  }
  expect(await ask('yes\n')).toBe('done')
  for (const answer of ['y\n', '\n', 'no\n', undefined]) {
    expect(await ask(answer)).toBe('1: nothing was changed: the answer was not yes')
  }
})

test('with --json an error is one line of JSON on standard error', async () => {
  const failed = await countersign(['mcp', 'show', 'zzzz', '--json'], { env })
  expect(failed).toMatchObject({ exitCode: 4, stdout: '' })
  expect(JSON.parse(failed.stderr)).toEqual({
    error: { code: 'notFound', exitCode: 4, message: expect.stringMatching(/^there is no such credential/) },
  })
  const wrong = await countersign(['mcp', 'show', '--json', '--nothing'])
  expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'usage', exitCode: 2 } })
  expect((await countersign(['mcp', 'show', '--', '--json'], { env })).stderr).toMatch(/^countersign: /)
})

test('help takes the words of a command, and -v prints the version', async () => {
  expect(await succeed(['help', 'hmac', 'rotate'])).toBe(await succeed(['hmac', 'rotate', '--help']))
  expect(await succeed(['help', 'hmac'])).toBe(await succeed(['hmac', '--help']))
  expect(await succeed(['help'])).toBe(await succeed(['--help']))
  expect(await succeed(['-v'])).toMatch(/^\d+\.\d+\.\d+\n$/)
})

/** What bash offers after a line. */
function offered(script: string, line: string): string[] {
  const words = line.split(' ')
  const program = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})\nCOMP_CWORD=${words.length - 1}\n_countersign\nprintf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['-c', program], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').filter(Boolean)
}

test('bash completes commands and options', async () => {
  const script = await succeed(['completion', 'bash'])
  expect(offered(script, 'countersign m')).toEqual(['mcp', 'migrate'])
  expect(offered(script, 'countersign hmac ro')).toEqual(['rotate'])
  expect(offered(script, 'countersign hmac rotate scheduler --gr')).toEqual(['--grace'])
  expect(offered(script, 'countersign mcp revoke --thread t-1 --ret')).toEqual(['--retire'])
  expect(offered(script, 'countersign doctor --se')).toEqual(['--settings'])
  expect(offered(script, 'countersign nothing ')).toEqual([])
})

test('zsh and fish have completions, too, and no other shell', async () => {
  expect(await succeed(['completion', 'zsh'])).toContain('bashcompinit')
  const fish = await succeed(['completion', 'fish'])
  expect(fish).toContain("complete -c countersign -f -n '__fish_use_subcommand' -a mcp\n")
  expect(fish).toContain("-n '__fish_seen_subcommand_from mcp; and __fish_seen_subcommand_from revoke' -l retire\n")
  await refuse(['completion', 'tcsh'], 2, /completions exist for bash, zsh and fish/)
})
