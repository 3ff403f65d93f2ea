import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AgentClient,
  createMcpCredentials,
  type McpCredentials,
  toClientConfig,
} from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { freePort, RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'
import { countersign, refuse, succeed, succeedJson } from './command.js'

let server: RedisServer
let redis: Redis
let credentials: McpCredentials
let env: Record<string, string>
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  server = await RedisServer.start()
  redis = new Redis(server.url)
  credentials = createMcpCredentials({ store: redisCredentials(redis), audit: recordedAudit().audit })
  env = { REDIS_URL: server.url }
}, 30_000)
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const issue = (thread: string, provider = 'claude-1') =>
  credentials.issue({ threadId: thread, providerInstanceId: provider, capabilities: ['preview'] })
const standingOf = async (token: string) => (await credentials.resolve(token)).standing

interface Listed {
  readonly credentialId: string
  readonly threadId: string
  readonly standing: string
}

describe('mcp', () => {
  test('[cli-real-stores] issues a credential that the app knows, lists it, shows it and revokes it', async () => {
    const words = [
      'mcp',
      'issue',
      '--thread',
      't1',
      '--provider',
      'claude-1',
      '--capability',
      'preview',
      '--capability',
      'files',
    ]
    const token = (await succeed(words, { env })).trim()
    const resolved = await credentials.resolve(token)
    expect(resolved).toMatchObject({
      standing: 'live',
      credential: { threadId: 't1', capabilities: ['preview', 'files'] },
    })
    await issue('t2', 'codex-1')
    const id = resolved.credential?.credentialId as string
    const all = await succeedJson<Listed[]>(['mcp', 'list'], { env })
    expect(all.map(({ threadId, standing }) => [threadId, standing]).sort()).toEqual([
      ['t1', 'live'],
      ['t2', 'live'],
    ])
    const table = await succeed(['mcp', 'list', '--thread', 't1'], { env })
    expect(table).toMatch(
      /^credential +standing +thread +provider +capabilities +idle +expires\n\S+ +live +t1 +claude-1 +preview files +in 3\d min +in 30 d\n$/,
    )
    expect(await succeed(['mcp', 'show', id], { env })).toMatch(/^credentialId +\S+\nstanding +live\nthreadId +t1\n/)
    expect(await succeed(['mcp', 'revoke', id], { env })).toBe(`revoked credential ${id}\n`)
    expect(await standingOf(token)).toBe('revoked')
    expect(await succeedJson(['mcp', 'show', id], { env })).toMatchObject({ standing: 'revoked' })
    await refuse(['mcp', 'revoke', id], 4, /there is no such credential/, { env })
  })

  test('revokes all credentials of a thread, a provider, and everyone, and no others', async () => {
    const [a, b, c] = await Promise.all([issue('t1'), issue('t2'), issue('t3', 'codex-1')])
    const standings = async () => Promise.all([a, b, c].map(({ token }) => standingOf(token)))
    expect(await succeed(['mcp', 'revoke', '--thread', 't1', '--retire'], { env })).toBe('revoked thread t1\n')
    expect(await standings()).toEqual(['revoked', 'live', 'live'])
    await refuse(['mcp', 'issue', '--thread', 't1', '--provider', 'p'], 1, /the thread is retired/, { env })
    expect(await succeedJson(['mcp', 'revoke', '--provider', 'codex-1'], { env })).toEqual({
      scope: 'provider',
      id: 'codex-1',
      ended: true,
    })
    expect(await standings()).toEqual(['revoked', 'live', 'revoked'])
    expect(await succeed(['mcp', 'revoke', '--all', '--yes'], { env })).toBe('revoked all credentials\n')
    expect(await standings()).toEqual(['revoked', 'revoked', 'revoked'])
  })

  test('writes a credential to a file, prints it for a helper, and configures agents with it', async () => {
    const file = join(folder, 'credential.json')
    const words = ['mcp', 'issue', '--thread', 't1', '--provider', 'claude-1', '--file', file]
    const said = await succeed(words, { env })
    expect(said).toMatch(/^[0-9A-Za-z]{40}: the credential is in .*\n$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const headers = JSON.parse(await succeed(['mcp', 'print', '--file', file])) as { Authorization: string }
    const token = (await succeed(['mcp', 'print', '--file', file, '--token'])).trim()
    expect(headers).toEqual({ Authorization: `Bearer ${token}` })
    expect(await standingOf(token)).toBe('live')
    const rotated = await countersign([...words, '--overlap', '1m'], { env })
    expect(rotated.exitCode).toBe(0)
    expect(readFileSync(file, 'utf8')).not.toContain(token)
    expect(await standingOf(token)).toBe('live')

    const server = ['--url', 'https://app.example.com/mcp', '--server-name', 'app']
    const claude = await countersign(['mcp', 'client-config', 'claude-code', ...server, '--file', file])
    expect(JSON.parse(claude.stdout)).toEqual({
      mcpServers: {
        app: {
          type: 'http',
          url: 'https://app.example.com/mcp',
          headersHelper: expect.stringMatching(
            /^"\/.+" "\/.+\/clients\/print-credential\.js" --file "\/.+\/credential\.json"$/,
          ),
        },
      },
    })
    expect(claude.stderr).toBe('This belongs in .mcp.json, in the project.\n')
    const codex = await countersign(['mcp', 'client-config', 'codex', ...server])
    expect(codex.stdout).toBe(
      '[mcp_servers.app]\nurl = "https://app.example.com/mcp"\nbearer_token_env_var = "MCP_CRED_APP"\n',
    )
    expect(codex.stderr).toContain('Start the agent with MCP_CRED_APP set to the token.')
    const sdk = await succeed(['mcp', 'client-config', 'sdk', ...server, '--file', file])
    expect(sdk).toMatch(/"Authorization": "Bearer mcps_/)
    await refuse(['mcp', 'client-config', 'sdk', ...server], 2, /contains the token: use --file/)
    await refuse(['mcp', 'client-config', 'emacs', ...server], 2, /the client must be one of claude-code, codex/)
    await refuse(['mcp', 'print', '--file', join(folder, 'none')], 2, /cannot be read \(ENOENT\): write it with/)
  })

  test('configures every agent as the library does, and says how its credential file is written', async () => {
    const url = 'https://app.example.com/mcp'
    const server = ['--url', url, '--server-name', 'app']
    const described = (client: string, ...more: string[]) =>
      succeedJson<Record<string, unknown>>(['mcp', 'client-config', client, ...server, ...more])
    const one = await issue('t1')
    const dotenv = join(folder, '.gemini', '.env')
    const files = { opencode: join(folder, 'token'), gemini: dotenv, qwen: dotenv, codex: join(folder, 'codex.json') }
    // The helper is where each of the two is built.
    const plain = (value: object) => JSON.stringify(value).replaceAll(/[^"\\ ]+(?=print-credential)/g, '')
    for (const [client, file] of Object.entries(files)) {
      const { env: _, ...library } = toClientConfig(one, client as AgentClient, { url, serverName: 'app', file })
      expect(JSON.parse(plain(await described(client, '--file', file)))).toEqual(
        JSON.parse(plain({ client, ...library })),
      )
      await refuse(['mcp', 'client-config', 'cursor', ...server, '--file', file], 2, /cursor reads no file/)
    }
    for (const client of ['claude-code', 'codex', 'cursor', 'vscode', 'opencode', 'gemini', 'qwen'] as const) {
      const { env: variables, fileForm, ...library } = toClientConfig(one, client, { url, serverName: 'app' })
      const [variable] = Object.keys(variables)
      expect([client, fileForm]).toEqual([client, undefined])
      expect(await described(client)).toEqual({ client, ...library, ...(variable === undefined ? {} : { variable }) })
    }

    const vscode = await countersign(['mcp', 'client-config', 'vscode', ...server])
    expect(vscode.stderr).toBe(
      'This belongs in .vscode/mcp.json, in the project.\nIt asks its user for the token, once.\n',
    )
    const gemini = await countersign(['mcp', 'client-config', 'gemini', ...server, '--file', dotenv])
    expect(gemini.stderr).toBe(
      'This belongs in .gemini/settings.json, in the project.\n' +
        `Write the credential with "countersign mcp issue --thread … --provider … --file ${dotenv} --form env:MCP_CRED_APP".\n`,
    )
    const issued = ['mcp', 'issue', '--thread', 't2', '--provider', 'p', '--on-existing', 'keep']
    await succeed([...issued, '--file', dotenv, '--form', 'env:MCP_CRED_APP'], { env })
    await succeed([...issued, '--file', files.opencode, '--form', 'token'], { env })
    const [, inDotenv = ''] = /^MCP_CRED_APP=(mcps_\w+)\n$/.exec(readFileSync(dotenv, 'utf8')) ?? []
    expect([await standingOf(inDotenv), await standingOf(readFileSync(files.opencode, 'utf8'))]).toEqual([
      'live',
      'live',
    ])
    expect([statSync(dotenv).mode & 0o777, statSync(files.opencode).mode & 0o777]).toEqual([0o600, 0o600])
    await refuse(['mcp', 'print', '--file', dotenv], 2, /it contains no credential for a helper/)
    // What the agent cannot read would be sent as the credential.
    await succeed([...issued, '--file', files.opencode], { env })
    const opencode = ['mcp', 'client-config', 'opencode', ...server, '--file', files.opencode]
    await refuse(opencode, 2, /opencode cannot read this form of file: write it with .* --form token/)
    await refuse([...issued, '--form', 'token'], 2, /--form needs --file/, { env })
    await refuse([...issued, '--file', dotenv, '--form', 'yaml'], 2, /headers, token, or env:NAME/, { env })
  })

  test('records each change in an audit file, and fails when it cannot be opened', async () => {
    const file = join(folder, 'audit.jsonl')
    const audited = { env: { ...env, COUNTERSIGN_AUDIT_JSONL: file } }
    await succeed(['mcp', 'issue', '--thread', 't1', '--provider', 'p1'], audited)
    await succeed(['mcp', 'revoke', '--all', '--yes'], audited)
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'mcp.credential.issued',
      'mcp.scope.revoked',
    ])
    expect(await succeed(['audit', 'verify', file])).toMatch(/^✓ 2 lines in 2 chains intact, head [0-9a-f]{64}\n$/)
    const nowhere = { env: { ...env, COUNTERSIGN_AUDIT_JSONL: join(folder, 'no', 'such', 'file') } }
    await refuse(['mcp', 'revoke', '--all', '--yes'], 2, /cannot be opened \(ENOENT\)/, nowhere)
  })

  test('[cli-real-stores] works on a Redis Cluster', async () => {
    const cluster = await startRedisCluster()
    try {
      const onCluster = { env: { REDIS_URL: cluster.nodes[1]?.url as string } }
      for (const thread of ['t1', 't2', 't3']) {
        await succeed(['mcp', 'issue', '--thread', thread, '--provider', 'p1'], onCluster)
      }
      const listed = await succeedJson<Listed[]>(['mcp', 'list'], onCluster)
      expect(listed.map(({ threadId }) => threadId).sort()).toEqual(['t1', 't2', 't3'])
      const report = await countersign(['doctor'], onCluster)
      expect(report.stdout).toContain('✓ redis-cluster: a cluster of 3 primaries\n')
    } finally {
      await cluster.stop()
    }
  }, 60_000)
})

describe('errors are reported in one line', () => {
  test.each([
    [['list'], { REDIS_URL: '' }, 2, /REDIS_URL is not set/],
    [['list'], { REDIS_URL: 'http://host' }, 2, /is not a Redis URL/],
    [['show', 'no-sense'], undefined, 2, /this is not the id of a credential/],
    [['show', 'nonsense'], undefined, 4, /there is no such credential/],
    [['show', `mcps_${'a'.repeat(40)}_${'b'.repeat(49)}`], undefined, 2, /^(?!.*bbbb)countersign: this is a token/],
    [['show', 'a'.repeat(40)], undefined, 4, /there is no such credential/],
    [['revoke'], undefined, 2, /name exactly one of/],
    [['revoke', 'a'.repeat(40), '--all'], undefined, 2, /name exactly one of/],
    [['issue', '--thread', 't1'], undefined, 2, /required option '--provider <id>'/],
    [['issue', '--thread', 't1', '--provider', 'p', '--capability', 'a b'], undefined, 2, /scope tokens/],
    [['list', '--idle-timeout', '90d'], undefined, 2, /"idleTimeoutSeconds" must be at most/],
    [['list', '--namespace', '{x}'], undefined, 2, /option "namespace" must be/],
  ] as const)('[cli-bad-inputs] mcp %j %j', async (words, other, exitCode, message) => {
    await refuse(['mcp', ...words], exitCode, message, { env: other ?? env })
  })

  test('[cli-bad-inputs] for a Redis that is down, needs a password, or evicts', async () => {
    await refuse(['mcp', 'list'], 3, /Redis cannot be reached \(ECONNREFUSED\): check the host/, {
      env: { REDIS_URL: `redis://127.0.0.1:${await freePort()}` },
    })
    const locked = await RedisServer.start('--requirepass', 'the-password')
    try {
      const url = new URL(locked.url)
      await refuse(['mcp', 'list'], 2, /refused the user or the password/, { env: { REDIS_URL: url.href } })
      url.password = 'another'
      await refuse(['mcp', 'list'], 2, /^(?!.*another).*refused the user or the password/s, {
        env: { REDIS_URL: url.href },
      })
      url.password = 'the-password'
      expect(await succeed(['mcp', 'list', '--json'], { env: { REDIS_URL: url.href } })).toBe('[]\n')
    } finally {
      await locked.stop()
    }
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await refuse(['mcp', 'issue', '--thread', 't1', '--provider', 'p'], 3, /maxmemory-policy|evict/, { env })
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
  })

  test('[cli-bad-inputs] for a Redis that accepts connections and does not answer', async () => {
    server.pause()
    try {
      await refuse(['mcp', 'revoke', '--all', '--yes'], 3, /Redis cannot be reached/, { env })
    } finally {
      server.resume()
    }
  }, 30_000)
})
