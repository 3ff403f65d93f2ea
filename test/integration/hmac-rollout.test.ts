import { spawn } from 'node:child_process'
import { createCipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rfc9421, sign, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import pg from 'pg'
import { buildCommand } from '../../packages/cli/test/build.js'
import { fencesOf } from '../docs/markdown.js'
import { root } from '../structure/workspace.js'
import { PostgresServer } from '../support/postgres-server.js'
import { RedisServer } from '../support/redis-server.js'
import { isLong } from '../support/run-length.js'
import { Fleet, post } from './rollout/fleet.js'
import { invalidReports, scrape, seenSince, validCallers } from './rollout/metrics.js'
import { type Caller, Traffic } from './rollout/traffic.js'

/** Requests of each sender in each step. */
const EACH = isLong ? 150 : 12

const SHARED = 'the-secret-that-all-callers-sign-with-today'
const OLD_KEY = 'the-old-key-of-everybody'
const REPORTS_KEY = 'the-old-key-of-reports'
const kek = () => randomBytes(32).toString('base64')
const [K1, K2] = [`k1:${kek()}`, `k2:${kek()}`]

const page = 'docs/guides/hmac.md'
const guide = readFileSync(join(root, page), 'utf8')
const chapter = guide.slice(guide.indexOf('## Moving from a shared key'), guide.indexOf('## Secrets in PostgreSQL'))
const fences = fencesOf({ path: page, text: chapter })
/** The commands of the chapter, without comments. */
const commands = fences
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code }) => code.split('\n'))
  .map((line) => line.replace(/\s+#.*/, '').trim())
  .filter((line) => line.startsWith('countersign '))
const run: string[] = []

let folder: string
let command: ReturnType<typeof buildCommand>
let postgres: PostgresServer
let redis: RedisServer
let pool: pg.Pool
let client: Redis
let fleet: Fleet
let traffic: Traffic
/** What the processes and the command have in common. */
let env: Record<string, string>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-rollout-'))
  command = buildCommand()
  ;[postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start('--appendonly', 'yes')])
  client = new Redis(redis.url)
  pool = new pg.Pool({ connectionString: postgres.url })
  env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, COUNTERSIGN_HMAC_KEKS: K1 }
  fleet = new Fleet()
  traffic = new Traffic(fleet)
}, 120_000)
afterAll(async () => {
  await traffic.stop()
  await fleet.stop()
  await pool.end()
  client.disconnect()
  await Promise.all([postgres.stop(), redis.stop()])
  command.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a command of the chapter, as it is written there. */
async function step(line: string, exitCode = 0): Promise<string> {
  expect(commands).toContain(line)
  run.push(line)
  const child = spawn(process.execPath, [command.bin, ...line.split(' ').slice(1)], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number]
  const text = Buffer.concat(output).toString()
  expect({ line, code, text }).toEqual({ line, code: exitCode, text: expect.any(String) })
  return text
}

const secretOf = (file: string) => readFileSync(join(folder, file), 'utf8').trim()
const BODY = { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') }
const origin = 'https://billing.example.com'
const theirs = xHeaders({ prefix: 'x-kh', bindQuery: false, bindAudience: false })

/** The scheme of today: `x-kh-…` headers, which name no version. */
const byScheme =
  (caller: string, secret = SHARED): Caller =>
  (target) =>
    sign({ ...BODY, url: `${origin}${target}` }, { caller, secret, audience: 'billing.example.com', format: theirs })
const byRfc =
  (caller: string, version: number, secret: string): Caller =>
  (target) =>
    sign(
      { ...BODY, url: `${origin}${target}` },
      { caller, version, secret, audience: 'billing.example.com', format: rfc9421() },
    )
const byKey =
  (key: string): Caller =>
  () => ({ 'x-service-key': key })
const and =
  (...callers: readonly Caller[]): Caller =>
  (target) =>
    Object.assign({}, ...callers.map((caller) => caller(target)))

/** Waits until each process answers a request of this kind so: a change is known to all of them. */
async function everywhere(caller: Caller, status: number): Promise<void> {
  let serial = 0
  for (const url of fleet.urls) {
    for (;;) {
      serial += 1
      const target = `/internal/probe/${Date.now()}-${serial}`
      if ((await post(`${url}${target}`, caller(target))) === status) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Whether a process has read the secrets of all callers: it refuses what no secret signed, and is not unavailable. */
async function isReady(url: string): Promise<boolean> {
  const statuses = ['scheduler', 'reports', 'mailer'].map((caller) => {
    const target = `/internal/ready/${randomBytes(9).toString('hex')}`
    return post(`${url}${target}`, byScheme(caller, 'x'.repeat(40))(target))
  })
  return (await Promise.all(statuses)).every((status) => status !== 503)
}

/** Refuses, or accepts again, an old key: settles when every process does. */
async function flip(caller: string, isRequired: boolean): Promise<void> {
  await client.hset('require-signature', caller, isRequired ? '1' : '0')
  await everywhere(byKey(caller === 'reports' ? REPORTS_KEY : OLD_KEY), isRequired ? 401 : 200)
}

async function usage(): Promise<Record<string, [number, number]>> {
  const uses = (await (await fetch(`${fleet.urls[0]}/rollout`)).json()) as {
    caller: string
    accepted: number
    refused: number
  }[]
  return Object.fromEntries(uses.map(({ caller, accepted, refused }) => [caller, [accepted, refused]]))
}

/** Nothing good was refused so far, and nothing bad let in. */
async function holds(): Promise<void> {
  await traffic.more(EACH)
  expect([traffic.refused, traffic.letIn]).toEqual([[], []])
}

function seal(caller: string, version: number, key: Buffer): string {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(`${caller}:${version}`))
  const text = Buffer.concat([cipher.update(SHARED), cipher.final()])
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString('base64')).join(':')
}

test('the server of the chapter is the one that runs here', () => {
  const source = readFileSync(join(root, 'test/integration/rollout/process.ts'), 'utf8')
  const [, own = ''] = /\/\/ The guide's, from here\n([\s\S]*?)\n\/\/ to here\./.exec(source) ?? []
  const code = fences.find(({ language }) => language === 'ts')?.code ?? ''
  // The page's app has a Redis, a database and a port of its own.
  expect(own).toContain('requireHmac(')
  expect(code).toContain(own.trim())
})

test(
  'the whole way: no good request is refused, no bad one is let in, and the metrics answer each question',
  async () => {
    // The table that stands has the same name and other columns.
    await pool.query('CREATE TABLE internal_service_hmac_secrets (caller text, version int NOT NULL, secret_enc text)')
    const oldKek = randomBytes(32)
    const row = ['*shared*', 1, seal('*shared*', 1, oldKek)]
    await pool.query('INSERT INTO internal_service_hmac_secrets VALUES ($1, $2, $3)', row)
    writeFileSync(join(folder, 'old.kek'), oldKek.toString('base64'))
    expect(await step('countersign hmac migrate', 2)).toMatch(/it has no column "key_version"/)
    env = { ...env, COUNTERSIGN_HMAC_TABLE: 'hmac_secrets' }
    expect(await step('countersign hmac migrate')).toMatch(/^ran 0001/)
    const from = 'countersign hmac import --from-table internal_service_hmac_secrets --kek-file old.kek'
    expect(await step(`${from} --dry-run`)).toBe('would import 1: nothing was stored\n')
    expect(await step(from)).toBe('imported 1\n')
    expect(await step(from)).toBe('imported 0, skipped 1 existing\n')

    // 1. Report: the old key decides.
    const legacy = { COUNTERSIGN_HMAC_LEGACY_SHARED: OLD_KEY, COUNTERSIGN_HMAC_LEGACY_REPORTS: REPORTS_KEY }
    await fleet.deploy({ ...env, ...legacy, REPORT_ONLY: 'true' }, isReady)
    traffic.good('scheduler a', byKey(OLD_KEY))
    traffic.good('scheduler b', byKey(OLD_KEY))
    traffic.good('reports', byKey(REPORTS_KEY))
    traffic.good('mailer', byKey(OLD_KEY))
    traffic.bad('a wrong key', byKey('not-the-old-key'))
    traffic.bad('a signature with a secret that nobody has', byScheme('scheduler', 'x'.repeat(40)))
    await holds()
    expect(validCallers(await scrape(fleet.urls))).toEqual([])

    // 2. The callers sign, and send the old key as well. One of them has a wrong secret, and nobody is refused for it.
    traffic.good('scheduler a', and(byKey(OLD_KEY), byScheme('scheduler')))
    traffic.good('scheduler b', and(byKey(OLD_KEY), byScheme('scheduler')))
    traffic.good('reports', and(byKey(REPORTS_KEY), byScheme('reports')))
    traffic.good('mailer', and(byKey(OLD_KEY), byScheme('mailer', `${SHARED} `)))
    await holds()
    const reported = await scrape(fleet.urls)
    expect(validCallers(reported)).toEqual(['reports', 'scheduler'])
    expect(invalidReports(reported).mailer).toEqual(['bad_signature'])
    expect(invalidReports(reported).scheduler).toBeUndefined()
    traffic.good('mailer', and(byKey(OLD_KEY), byScheme('mailer')))
    await holds()
    expect(validCallers(await scrape(fleet.urls))).toEqual(['mailer', 'reports', 'scheduler'])

    // 3. Signatures decide where there is one; both key-encryption keys are known from now on.
    await fleet.deploy({ ...env, ...legacy, COUNTERSIGN_HMAC_KEKS: `${K1},${K2}` }, isReady)
    traffic.bad('a bad signature beside the old key', and(byKey(OLD_KEY), byScheme('mailer', 'x'.repeat(40))))
    let used: Record<string, string> = {}
    traffic.good('what is copied', (target) => {
      used = byScheme('mailer')(target)
      return used
    })
    await traffic.more(2)
    const copied = used
    traffic.bad('a copy of a signature, for another target', () => copied)
    traffic.bad('another caller than signed', (target) => ({ ...byScheme('mailer')(target), 'x-kh-caller': 'reports' }))
    await holds()

    // 4. Who is left on the old key: reports says that it is not, and is.
    let sinceMs = Date.now()
    traffic.good('scheduler a', byScheme('scheduler'))
    traffic.good('scheduler b', byScheme('scheduler'))
    traffic.good('mailer', byScheme('mailer'))
    traffic.good('reports', byKey(REPORTS_KEY))
    await traffic.more(2)
    sinceMs = Date.now()
    await holds()
    expect(seenSince(await scrape(fleet.urls), 'legacy', sinceMs)).toEqual(['reports'])
    const [accepted = 0, refused] = (await usage()).reports ?? []
    expect([accepted > EACH, refused]).toEqual([true, 0])

    // 5. The kill switch, for whom it is safe; back, when one caller turns out not to be ready; and again.
    await flip('*shared*', true)
    traffic.bad('the old key of all', byKey(OLD_KEY))
    await holds()
    traffic.good('reports', byScheme('reports'))
    await traffic.more(2)
    await flip('reports', true)
    await holds()
    await flip('reports', false)
    traffic.good('reports', byKey(REPORTS_KEY))
    await holds()
    traffic.good('reports', byScheme('reports'))
    await traffic.more(2)
    await flip('reports', true)
    traffic.bad('the old key of reports', byKey(REPORTS_KEY))
    sinceMs = Date.now()
    await holds()
    expect(seenSince(await scrape(fleet.urls), 'legacy', sinceMs)).toEqual([])

    // 6. A secret of its own for scheduler: one replica, back, both, and then the cut.
    expect(await step('countersign hmac split scheduler --out scheduler.secret')).toMatch(
      /^scheduler\/2: the secret is in/,
    )
    const own = secretOf('scheduler.secret')
    await everywhere(byRfc('scheduler', 2, own), 200)
    traffic.good('scheduler a', byRfc('scheduler', 2, own))
    sinceMs = Date.now()
    await holds()
    expect(seenSince(await scrape(fleet.urls), 'shared_secret', sinceMs)).toEqual(['mailer', 'reports', 'scheduler'])
    traffic.good('scheduler a', byScheme('scheduler'))
    await holds()
    traffic.good('scheduler a', byRfc('scheduler', 2, own))
    traffic.good('scheduler b', byScheme('scheduler', own))
    await traffic.more(2)
    sinceMs = Date.now()
    await holds()
    expect(seenSince(await scrape(fleet.urls), 'shared_secret', sinceMs)).toEqual(['mailer', 'reports'])
    await step('countersign hmac split scheduler --cut-over')
    await everywhere(byScheme('scheduler'), 401)
    traffic.bad('scheduler with the shared secret', byScheme('scheduler'))
    await holds()

    // 7. Rotating it.
    await step('countersign hmac rotate scheduler --pending --out scheduler.next')
    const next = secretOf('scheduler.next')
    await everywhere(byRfc('scheduler', 3, next), 200)
    await holds()
    traffic.good('scheduler a', byRfc('scheduler', 3, next))
    await holds()
    traffic.good('scheduler b', byRfc('scheduler', 3, next))
    await traffic.more(2)
    await step('countersign hmac rotate scheduler --grace 0s')
    await everywhere(byRfc('scheduler', 2, own), 401)
    traffic.bad('scheduler with the secret of before', byRfc('scheduler', 2, own))
    await holds()

    // 8. The key-encryption key, and the end of the old key.
    env = { ...env, COUNTERSIGN_HMAC_KEKS: `${K2},${K1}` }
    await fleet.deploy({ ...env, ...legacy }, isReady)
    expect((await usage()).reports?.[0]).toBeGreaterThanOrEqual(accepted)
    expect(await step('countersign hmac reencrypt')).toBe('re-encrypted 3\n')
    await holds()
    env = { ...env, COUNTERSIGN_HMAC_KEKS: K2 }
    await fleet.deploy(env, isReady)
    await holds()
    expect(await step('countersign hmac list')).toMatch(/scheduler +3 +active[\s\S]*scheduler +2 +expired/)

    expect([...new Set(run)].sort()).toEqual([...new Set(commands)].sort())
    console.log(`${traffic.count} requests: ${traffic.refused.length} good refused, ${traffic.letIn.length} bad let in`)
  },
  isLong ? 1_800_000 : 600_000,
)
