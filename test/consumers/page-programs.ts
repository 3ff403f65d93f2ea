import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fence } from '../docs/markdown.js'
import { freePort } from '../support/redis-server.js'
import { TEST_CERTIFICATE, TEST_KEY } from '../support/test-certificate.js'
import { isListening, type Running, stopProgram } from './program.js'
import { cleanEnvironment } from './tarballs.js'

/** What the machine that runs the tests has in place of what the pages name. */
export interface Places {
  readonly issuer: string
  readonly redis: string
  readonly database: string
}

/** A whole program of a page, as a file of the project. */
export interface PageProgram {
  readonly place: string
  readonly folder: string
  readonly file: string
  readonly port: number
  /** A folder of its own, in which it is started. */
  readonly state: string
  readonly env: Readonly<Record<string, string>>
  /** The programs of the same page that ask it. */
  readonly clients: PageProgram[]
}

/** A call of the service of `audience` in a page about both sides. */
const CLIENT = /(signedFetch\(')(?:https:\/\/billing\.example\.com|http:\/\/localhost:3000)/

/** Of the caller `scheduler`, in every program. */
export const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

/** What the pages tell people to set. */
const ENVIRONMENT = {
  SCHEDULER_HMAC_SECRET: SECRET,
  COUNTERSIGN_HMAC_SECRET_SCHEDULER: SECRET,
  COUNTERSIGN_HMAC_KEKS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  SECRET,
  TOKEN: 'a-token',
  DPOP_NONCE_SECRET: SECRET,
  INTERNAL_KEY: 'an-internal-key',
  INTROSPECTION_SECRET: 'a-client-secret',
  REPORTS_TOKEN: 'a-token-of-the-reports-that-is-long-enough',
  SLACK_SIGNING_SECRET: 'a-signing-secret-of-the-tests',
  TELEGRAM_BOT_TOKEN: '123456789:a-bot-token-of-the-tests',
  TELEGRAM_WEBHOOK_SECRET: 'a-webhook-secret-of-the-tests',
}

/** What a page tells people to set where a program must have a provider: with it other programs would have one, too. */
const PROVIDER = {
  SETTINGS_OAUTH_PRESET: 'github',
  SETTINGS_OAUTH_CLIENT_ID: 'a-client',
  SETTINGS_OAUTH_CLIENT_SECRET: 'a-client-secret',
}

/** Says when a program has been evaluated, and whether it holds a connection, so that it does not end by itself. */
const EVALUATE = `import { pathToFileURL } from 'node:url'
process.argv.splice(1, 1)
await import(pathToFileURL(process.argv[1]).href)
const look = () => process.getActiveResourcesInfo().includes('TCPSocketWrap') && process.send('holds a connection')
setInterval(look, 50).unref()
`

/**
 * Writes the programs into a project. A client of its page's service is among the clients of the page's first program,
 * and gets its port.
 */
export async function writePrograms(folder: string, wholes: readonly Fence[], places: Places): Promise<PageProgram[]> {
  writeFileSync(join(folder, 'evaluate.mjs'), EVALUATE)
  const programs: PageProgram[] = []
  for (const { page, line, language, code } of wholes) {
    const name = `${page.replaceAll(/\W+/g, '-')}-${line}`
    const state = join(folder, 'state', name)
    mkdirSync(state, { recursive: true })
    writeFileSync(join(state, 'server.pem'), TEST_CERTIFICATE)
    writeFileSync(join(state, 'server.key'), TEST_KEY)
    const service = CLIENT.test(code) ? programs.find(({ place }) => place.startsWith(`${page}:`)) : undefined
    const port = service?.port ?? (await freePort())
    const here = code
      .replaceAll('3000', String(port))
      .replaceAll('redis://127.0.0.1:6379', places.redis)
      .replaceAll('https://auth.example.com', places.issuer)
      .replaceAll('/var/lib/app', state)
      .replace('listen(443)', `listen(${port})`)
      .replace(CLIENT, `$1http://localhost:${port}`)
      .replaceAll('http://localhost:8787', places.issuer)
    writeFileSync(join(folder, language === 'js' ? `${name}.mjs` : `${name}.ts`), here)
    const file = language === 'js' ? `${name}.mjs` : join('out', `${name}.js`)
    const list = service?.clients ?? programs
    const env = code.includes('required: true') ? { ...ENVIRONMENT, ...PROVIDER } : ENVIRONMENT
    list.push({ place: `${page}:${line}`, folder, file, port, state, env, clients: [] })
  }
  return programs
}

/** What a program, and its clients after it, did wrong until they listened, ended, or only held a connection. */
export async function complaintsOf(
  program: PageProgram,
  places: Places,
  { isClient = false, limitMs = 60_000 } = {},
): Promise<string[]> {
  const running = start(program, places)
  try {
    let isIdle = false
    let hasEnded = false
    running.child.on('message', () => (isIdle = true))
    running.child.once('close', () => (hasEnded = true))
    const isDone = async () => hasEnded || (!isClient && (isIdle || (await isListening(running))))
    const complaints: string[] = []
    for (
      const deadline = Date.now() + limitMs;
      !(await isDone());
      await new Promise((resolve) => setTimeout(resolve, 20))
    ) {
      if (Date.now() < deadline) continue
      complaints.push(`${program.place} neither listens nor ends`)
      break
    }
    for (const client of program.clients) complaints.push(...(await complaintsOf(client, places, { isClient: true })))
    if (isClient && running.printed() !== '200\n')
      complaints.push(`${program.place} was not let in: ${running.printed()}`)
    const { exitCode } = running.child
    if (hasEnded && exitCode !== 0) complaints.push(`${program.place} ended with ${exitCode}`)
    if (running.complained() !== '') complaints.push(`${program.place}: ${running.complained()}`)
    return complaints
  } finally {
    await stopProgram(running)
  }
}

/** Starts a program of a page. */
export function start(program: PageProgram, { redis, database }: Places): Running & { complained(): string } {
  const { folder, file, port, state, env } = program
  // What a page's example asks for, and is told of.
  const flags = ['--disable-warning=COUNTERSIGN_OAUTH_HTTP']
  const child = spawn(process.execPath, [...flags, join(folder, 'evaluate.mjs'), join(folder, file)], {
    cwd: state,
    env: { ...cleanEnvironment(), ...env, REDIS_URL: redis, DATABASE_URL: database },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (texts.stdout += String(chunk)))
  child.stderr?.on('data', (chunk: Buffer) => (texts.stderr += String(chunk)))
  const url = `http://localhost:${port}`
  return { url, child, printed: () => texts.stdout + texts.stderr, complained: () => texts.stderr }
}
