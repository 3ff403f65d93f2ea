import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { fencesOf, readPages } from '../docs/markdown.js'
import { freePort } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { API, ENVIRONMENT, MIGRATIONS, STAGES, type Stage, statusesOf } from './migration-requests.js'
import { isListening, type Running, startProgram, stopProgram, until } from './program.js'
import { packAll } from './tarballs.js'

/** What the programs from before are made of, in the versions that the benchmarks run. */
const OLD = [
  ...['express-jwt', 'express-oauth2-jwt-bearer', 'express-session', 'jose', 'jwks-rsa', 'passport'],
  ...['passport-http-bearer', '@types/express-session', '@types/passport', '@types/passport-http-bearer'],
]

const pages = readPages().filter(({ path }) => path.startsWith('docs/migration/'))
const programs = pages.flatMap((page) => {
  const codes = fencesOf(page).filter(({ language }) => language === 'ts')
  const stages = codes.length === 2 ? (['before', 'after'] as const) : STAGES
  return codes.map(({ code }, index) => ({ page: basename(page.path, '.md'), stage: stages[index] as Stage, code }))
})

let folder: string
let consumer: Consumer
let issuer: TestIssuer
const ports = new Map<string, number>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-migration-'))
  issuer = await testIssuer({ resource: API })
  const dependencies = ['express', '@types/express', '@types/node', ...OLD]
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, packAll(folder))
  for (const { page, stage, code } of programs) {
    const port = await freePort()
    ports.set(`${page} ${stage}`, port)
    // As it stands, but for what the machine that runs the tests does not have: its own port, and an issuer.
    const here = code
      .replaceAll('3000', String(port))
      .replaceAll('https://auth.example.com', issuer.url)
      .replaceAll('https://example.eu.auth0.com/', issuer.url)
      .replaceAll(/auth0\(\{.*\}\)/g, `{ ...$&, issuer: '${issuer.url}' }`)
    writeFileSync(join(consumer.folder, `${page}-${stage}.ts`), here)
  }
  consumer.compile({ module: 'nodenext', outDir: 'out', skipLibCheck: true })
}, 180_000)
afterAll(async () => {
  await issuer.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function running(page: string, stage: Stage, use: (running: Running) => Promise<void>): Promise<void> {
  const file = join('out', `${page}-${stage}.js`)
  const program = startProgram(consumer.folder, file, ports.get(`${page} ${stage}`) as number, {
    ...ENVIRONMENT,
    NODE_DEBUG: 'countersign',
  })
  try {
    await until(program, () => isListening(program))
    await use(program)
  } finally {
    await stopProgram(program)
  }
}

describe('the migration guide', () => {
  test('is one of those that are run here', () => {
    expect(pages.map(({ path }) => basename(path, '.md')).sort()).toEqual(Object.keys(MIGRATIONS).sort())
  })

  test.each(programs.map(({ page, stage }) => [page, stage] as const))('%s: %s', async (page, stage) => {
    await running(page, stage, async (program) => {
      const { ask, answers } = MIGRATIONS[page] as (typeof MIGRATIONS)[string]
      const expected = Object.entries(answers).map(([request, byStage]) => [request, byStage[stage]?.[0]])
      expect(await statusesOf(await ask(stage, program, issuer))).toEqual(Object.fromEntries(expected))
      const reasons = Object.values(answers).flatMap((byStage) => byStage[stage]?.[1] ?? [])
      await until(program, () => reasons.every((reason) => program.printed().includes(reason)))
    })
  })
})
