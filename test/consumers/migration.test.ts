import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { transformSync } from '@swc/core'
import { fencesOf, readPages } from '../docs/markdown.js'
import { freePort, RedisServer } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { API, ENVIRONMENT, MIGRATIONS, STAGES, type Stage, statusesOf, written } from './migration-requests.js'
import { isListening, type Running, startProgram, stopProgram, until } from './program.js'
import {
  askFromShell,
  askOnDiscord,
  askOnTeams,
  type Microsoft,
  RECIPE_ENVIRONMENT,
  signIn,
  startMicrosoft,
} from './recipe-requests.js'
import { packAll } from './tarballs.js'

/** What the programs from before are made of, in the versions that the benchmarks run. */
const OLD = [
  ...['express-jwt', 'express-oauth2-jwt-bearer', 'express-session', 'jose', 'jwks-rsa', 'passport'],
  ...[
    'connect-redis',
    'redis',
    'passport-http-bearer',
    '@types/express-session',
    '@types/passport',
    '@types/passport-http-bearer',
  ],
]

/** What the recipes' programs are made of beside that. */
const OF_RECIPES = [
  ...['client', 'node', 'server'].map((name) => `@modelcontextprotocol/${name}`),
  ...['zod', 'discord-interactions@4.4.0'],
]

const all = readPages()
const pages = all.filter(({ path }) => path.startsWith('docs/migration/'))
const programs = pages.flatMap((page) => {
  const codes = fencesOf(page).filter(({ language }) => language === 'ts')
  const stages = codes.length === 2 ? (['before', 'after'] as const) : STAGES
  return codes.map(({ code }, index) => ({ page: basename(page.path, '.md'), stage: stages[index] as Stage, code }))
})
/** A block of a page, by its language and what it has in it. */
function block(page: string, language: string, part: string): string {
  const blocks = all.filter(({ path }) => path === page).flatMap(fencesOf)
  const found = blocks.find((fence) => fence.language === language && fence.code.includes(part))
  if (found === undefined) throw new Error(`${page} has no such block: ${part}`)
  return found.code
}
/** The programs of the recipes, by the names of their files. */
const recipes: Readonly<Record<string, string>> = {
  discord: block('docs/recipes/chats/discord.md', 'ts', 'app.listen'),
  'discord-part': block('docs/recipes/chats/discord.md', 'ts', 'onFirstClaim'),
  'sdk-clients': block('docs/recipes/agents/sdk-clients.md', 'ts', 'app.listen'),
  'sign-in': block('docs/recipes/sign-in-providers.md', 'ts', 'app.listen'),
  slack: block('docs/guides/settings-session.md', 'ts', "'/slack/commands'"),
  teams: block('docs/recipes/chats/teams.md', 'ts', 'app.listen'),
  telegram: block('docs/guides/settings-session.md', 'ts', "'/telegram/webhook'"),
}

let folder: string
let microsoft: Microsoft
let redis: RedisServer
let consumer: Consumer
let issuer: TestIssuer
const ports = new Map<string, number>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-migration-'))
  issuer = await testIssuer({ resource: API })
  redis = await RedisServer.start()
  microsoft = await startMicrosoft()
  const dependencies = ['express', '@types/express', '@types/node', ...OLD, ...OF_RECIPES]
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, packAll(folder))
  const named = programs.map(({ page, stage, code }) => [`${page}-${stage}`, code] as const)
  for (const [name, code] of [...named, ...Object.entries(recipes)]) {
    const port = await freePort()
    ports.set(name, port)
    // As it stands, but for what the machine that runs the tests does not have: its own port, and an issuer.
    const here = code
      .replaceAll('3000', String(port))
      .replaceAll('6379', String(redis.port))
      .replaceAll('https://auth.example.com', issuer.url)
      .replaceAll('https://example.eu.auth0.com/', issuer.url)
      .replaceAll('https://login.botframework.com/v1/.well-known/keys', `${issuer.url}/jwks`)
      .replaceAll('https://api.botframework.com', issuer.url)
      .replaceAll('https://login.microsoftonline.com', microsoft.url)
      .replaceAll(/auth0\(\{.*\}\)/g, `{ ...$&, issuer: '${issuer.url}' }`)
    // Its types are checked with the other pages' (test/docs/snippets): Auth0's library says something else of `request.auth`.
    if (name === 'sdk-clients') writeFileSync(join(consumer.folder, `${name}.mjs`), withoutTypes(here))
    else writeFileSync(join(consumer.folder, `${name}.ts`), here)
  }
  consumer.compile({ module: 'nodenext', outDir: 'out', skipLibCheck: true })
}, 400_000)
afterAll(async () => {
  await issuer.stop()
  microsoft.stop()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

function withoutTypes(code: string): string {
  const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' } as const
  return transformSync(code, { swcrc: false, jsc, module: { type: 'es6' } }).code
}

const start = (name: string, env = {}, file = join('out', `${name}.js`)): Running =>
  startProgram(consumer.folder, file, ports.get(name) as number, {
    ...ENVIRONMENT,
    ...RECIPE_ENVIRONMENT,
    NODE_DEBUG: 'countersign',
    ...env,
  })

async function running(name: string, use: (running: Running) => Promise<void>, env = {}): Promise<void> {
  const program = start(name, env)
  try {
    await until(program, () => isListening(program))
    await use(program)
  } finally {
    await stopProgram(program)
  }
}

/** Where a page's requests need it, the program from before runs beside the later ones. */
async function withOld<T>(page: string, stage: Stage, use: (old: Running | undefined) => Promise<T>): Promise<T> {
  if (stage === 'before' || !MIGRATIONS[page]?.needsOld) return use(undefined)
  let result: T | undefined
  await running(`${page}-before`, async (old) => {
    result = await use(old)
  })
  return result as T
}

describe('the migration guide', () => {
  test('is one of those that are run here', () => {
    expect(pages.map(({ path }) => basename(path, '.md')).sort()).toEqual(Object.keys(MIGRATIONS).sort())
  })

  test.each(programs.map(({ page, stage }) => [page, stage] as const))('%s: %s', async (page, stage) => {
    await running(`${page}-${stage}`, async (program) => {
      const { ask, answers, shown } = MIGRATIONS[page] as (typeof MIGRATIONS)[string]
      const expected = Object.entries(answers).map(([request, byStage]) => [request, byStage[stage]?.[0]])
      const given = await withOld(page, stage, (old) => ask(stage, program, issuer, old))
      expect(statusesOf(given)).toEqual(Object.fromEntries(expected))
      const reasons = Object.values(answers).flatMap((byStage) => byStage[stage]?.[1] ?? [])
      await until(program, () => reasons.every((reason) => program.printed().includes(reason)))
      if (stage === 'after')
        expect(block(`docs/migration/${page}.md`, 'http', '')).toBe(await written(given[shown] as Response))
    })
  })
})

test('the guide for a shared key enforces by one variable', () =>
  running(
    'shared-key-both',
    async (program) => {
      const { ask } = MIGRATIONS['shared-key'] as (typeof MIGRATIONS)[string]
      const { good, 'the old key': old } = await ask('both', program, issuer, undefined)
      expect([good?.status, old?.status]).toEqual([200, 401])
      await until(program, () => program.printed().includes('legacy_refused'))
    },
    { REQUIRE_SIGNATURES: 'true' },
  ))

describe('the recipe', () => {
  test('for Discord answers a command with a link that only the person sees', () => running('discord', askOnDiscord))

  test('for Teams answers in the chat with the person', () =>
    running('teams', (program) => askOnTeams(program, issuer, microsoft)))

  test.each([
    [
      'slack',
      'openssl dgst',
      /^\{"response_type":"ephemeral","text":"<http:\S+\|Open your settings>\. The page asks for: \d+"\}$/,
    ],
    ['telegram', 'x-telegram-bot-api', /^\{"method":"sendMessage".*"text":"Open your settings","url":"http:[^"]+"/],
  ] as const)('for %s has a command that tries the program', (name, part, answer) =>
    running(name, async ({ url }) => {
      const command = block(`docs/recipes/chats/${name}.md`, 'sh', part).replaceAll('http://localhost:3000', url)
      expect(askFromShell(command, consumer.folder)).toMatch(answer)
      expect(askFromShell(command.replaceAll('SECRET', 'OTHER'), consumer.folder)).not.toMatch(answer)
    }),
  )

  test('for providers leads the person to the provider', () => running('sign-in', signIn))

  test('for SDK clients prints what the tool answered, and ends', async () => {
    const { child, printed } = start('sdk-clients', {}, 'sdk-clients.mjs')
    await once(child, 'close')
    expect([child.exitCode, printed()]).toEqual([
      0,
      expect.stringContaining("[ { type: 'text', text: 'index.html opened' } ]\n"),
    ])
  })
})
