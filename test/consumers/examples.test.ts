import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { PostgresServer } from '../support/postgres-server.js'
import { freePort, RedisServer } from '../support/redis-server.js'
import { readCompose, startCompose } from './compose-example.js'
import { type Consumer, createConsumer } from './consumer.js'
import {
  type Example,
  examplesFolder,
  followReadme,
  readExample,
  readReadme,
  startCommand,
  startExample,
  stopCommand,
} from './example.js'
import { isListening, type Running, until } from './program.js'
import { useSettings } from './settings-examples.js'
import { packAll } from './tarballs.js'

/** All but the one in Nest, which frameworks.test.ts runs where Nest is installed. */
const names = readdirSync(examplesFolder).filter((name) => name !== 'nestjs')
/** The console has a page in the place of a README, and compose a test of its own below. */
const started = names.filter((name) => name !== 'console' && name !== 'compose')

/** In the versions that the workspace itself is tested with. */
const PINNED = [
  ...['express', 'ioredis', 'oidc-provider', 'pg', 'serverless-http', 'tsx', 'zod', '@types/express', '@types/node'],
  ...['client', 'node', 'sdk', 'server'].map((name) => `@modelcontextprotocol/${name}`),
]

let folder: string
let consumer: Consumer
const examples = new Map<string, Example>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-examples-'))
  for (const name of names) examples.set(name, await readExample(name))
  const project = {
    folders: [],
    type: 'module' as const,
    dependencies: [...PINNED, 'yaml@2'],
    examples: [...examples.values()],
  }
  consumer = createConsumer(join(folder, 'app'), project, packAll(folder))
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs an example, by its own command unless another one is given, while `use` uses it. */
async function running(
  name: string,
  use: (running: Running) => Promise<void>,
  how?: Parameters<typeof startExample>[2],
): Promise<void> {
  const program = await startExample(consumer.folder, examples.get(name) as Example, how)
  try {
    await use(program)
  } finally {
    await stopCommand(program)
  }
}

test('the examples in TypeScript compile strictly', () => {
  consumer.compile({ module: 'nodenext', noEmit: true, skipLibCheck: true })
})

test.each(started)('%s starts with its own command, and answers as its README says', (name) =>
  running(name, async (program) => {
    const there = join(consumer.folder, name)
    for (const port of examples.get(name)?.ports.values() ?? []) {
      await until(program, () => program.printed().includes(`http://localhost:${port}`))
    }
    expect(await followReadme(there)).toEqual([])
    await useSettings(name, program, readReadme(there).exported)
  }),
)

/** Starts the console as its page says. */
const startConsole = (name: string, port: number): Running =>
  startCommand(join(consumer.folder, name), 'npm start', port, {
    PORT: String(port),
    USER: 'ana',
    OLD_KEY: 'the-old-key',
  })

test('hosted-mcp-server answers the same on version 1 of the SDK', () =>
  running(
    'hosted-mcp-server',
    async () => expect(await followReadme(join(consumer.folder, 'hosted-mcp-server'))).toEqual([]),
    { command: 'npm run start:v1' },
  ))

test('lambda-webhook keeps what came in Redis, where there is one', async () => {
  const redis = await RedisServer.start('--appendonly', 'yes')
  try {
    await running(
      'lambda-webhook',
      async () => {
        expect(await followReadme(join(consumer.folder, 'lambda-webhook'))).toEqual([])
        expect(await redis.command('DBSIZE')).toBe(1)
      },
      { env: { REDIS_URL: redis.url } },
    )
  } finally {
    await redis.stop()
  }
})

test('the console in docs/examples lets its operator alone in, and revokes in the name of the operator', async () => {
  const running = startConsole('console', await freePort())
  const { url } = running
  try {
    await until(running, () => /in another browser http/.test(running.printed()))
    const [, link = '', code = ''] = /^The console: (\S+)\nThe page asks for: (\d+)$/m.exec(running.printed()) ?? []
    const [, authorization = ''] = /'authorization: (Bearer \S+)'/.exec(running.printed()) ?? []
    const agent = async () => (await fetch(`${url}/agent/status`, { headers: { authorization } })).status
    expect((await fetch(`${url}/internal/status`, { headers: { 'x-service-key': 'the-old-key' } })).status).toBe(200)
    expect(await agent()).toBe(200)

    const ana = new TestBrowser(url)
    const paths = ['', '/events', '/old-keys', '/sessions', '/credentials', '/health', '/assets/live.js']
    for (const path of paths) expect((await ana.send(`/console${path}`)).status).toBe(401)
    expect((await ana.confirm(link, { code })).status).toBe(303)
    expect(await (await ana.send('/console/old-keys')).text()).toMatch(/reports<\/b>[\s\S]*Still uses it/)
    const page = await ana.send('/console/credentials')
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    const text = await page.text()
    expect(text).not.toMatch(/<script>|<style| style=| on[a-z]+=/)
    const fields = { id: /name="id" value="([^"]+)"/.exec(text)?.[1] ?? '' }
    const token = /name="_csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
    const revoke = async (given: Record<string, string>, headers = {}) =>
      (await ana.post('/console/credentials/revoke', given, headers)).status
    expect(await revoke(fields)).toBe(403)
    expect(await revoke({ ...fields, _csrf: token }, { 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await agent()).toBe(200)
    expect(await revoke({ ...fields, _csrf: token })).toBe(303)
    expect(await agent()).toBe(401)
    expect(await (await ana.send('/console')).text()).toMatch(
      /mcp\.credential\.revoked[\s\S]*&quot;operator&quot;: &quot;ops:ana&quot;/,
    )
    expect((await ana.post('/console/logout')).status).toBe(200)
    expect((await ana.send('/console')).status).toBe(401)
  } finally {
    await stopCommand(running)
  }
}, 60_000)

test("with one store for both, a person's session of the settings does not open the console", async () => {
  const folder = join(consumer.folder, 'one-store')
  cpSync(join(consumer.folder, 'console'), folder, { recursive: true })
  const code = readFileSync(join(folder, 'app.js'), 'utf8')
  const shared = code
    .replaceAll('createSettingsSessions({', 'createSettingsSessions({ store,')
    .replace('import { createSettingsSessions,', 'import { createSettingsSessions, memorySessions,')
    .replace('const credentials =', 'const store = memorySessions()\nconst credentials =')
  expect(shared.match(/createSettingsSessions\(\{ store,/g)?.length).toBe(2)
  writeFileSync(join(folder, 'app.js'), shared)
  const running = startConsole('one-store', await freePort())
  const { url } = running
  try {
    await until(running, () => /in another browser http\S+\n/.test(running.printed()))
    const person = new TestBrowser(url)
    await person.confirm(/in another browser (\S+)/.exec(running.printed())?.[1] ?? '')
    expect((await person.send('/settings')).status).toBe(200)
    const cookie = Array.from(person.cookies.values(), (value) => `__Host-console=${value}; console=${value}`).join(
      '; ',
    )
    for (const path of ['', '/events', '/sessions']) {
      expect((await fetch(`${url}/console${path}`, { headers: { cookie } })).status).toBe(403)
    }
  } finally {
    await stopCommand(running)
  }
}, 60_000)

describe('the example of Docker compose', () => {
  test('names services, volumes and conditions that there are', () => {
    const { services, volumes } = readCompose(join(consumer.folder, 'compose'))
    expect(Object.keys(services)).toEqual(['app', 'migrate', 'postgres', 'redis'])
    for (const { build, image, depends_on: needed = {}, volumes: mounted = [] } of Object.values(services)) {
      expect([build ?? image]).toEqual([expect.stringMatching(/^(\.|postgres:\d+|redis:\d+)$/)])
      for (const [name, { condition }] of Object.entries(needed)) {
        const isThere = condition === 'service_healthy' ? services[name]?.healthcheck !== undefined : name === 'migrate'
        expect([name, isThere]).toEqual([name, true])
      }
      for (const volume of mounted) expect(Object.keys(volumes)).toContain(volume.split(':')[0])
    }
  })

  test('migrates twice, starts, and answers as its README says, with a Redis and a PostgreSQL', async () => {
    const [redis, postgres] = await Promise.all([RedisServer.start('--appendonly', 'yes'), PostgresServer.start()])
    const there = join(consumer.folder, 'compose')
    const port = examples.get('compose')?.ports.get('3000') as number
    try {
      const stores = { redis: redis.url, postgres: postgres.url }
      for (const migrated of [/^scheduler\/1$/m, /"scheduler" already has a secret/]) {
        const compose = startCompose(there, port, stores)
        expect(compose.migrated).toMatch(migrated)
        try {
          await until(compose.running, () => isListening(compose.running))
          const inContainer = (command: string) => command.replace(/^docker compose exec app /, '')
          expect(await followReadme(there, { env: compose.env, here: inContainer })).toEqual([])
        } finally {
          await stopCommand(compose.running)
        }
        // As a container that was stopped ends: the signal reached the app.
        expect(compose.running.child.exitCode).toBe(0)
      }
    } finally {
      await Promise.all([redis.stop(), postgres.stop()])
    }
  })
})
