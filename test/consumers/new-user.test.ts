import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { type Fence, fencesOf, type Page, readPages } from '../docs/markdown.js'
import type { RunningServer } from '../support/http-server.js'
import { PostgresServer } from '../support/postgres-server.js'
import { freePort, RedisServer } from '../support/redis-server.js'
import { isLong } from '../support/run-length.js'
import { asShown, sendCurl, shownAnswers } from './curl.js'
import { examplesFolder } from './example.js'
import { tryExample } from './example-trial.js'
import { isListening, printedAuthorization, type Running, until } from './program.js'
import { forgetNpx, serveRegistry, useRegistry } from './registry.js'
import { cleanEnvironment, packAll } from './tarballs.js'

// What somebody does who has read a README and nothing else: its install line in a fresh folder, its program in the file that
// it names, its command; for an example, its one command in a copy of its folder. The packages come from a registry.

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

let folder: string
let registry: RunningServer
let redis: RedisServer
let postgres: PostgresServer
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-new-user-'))
  mkdirSync(join(folder, 'tarballs'))
  registry = await serveRegistry(packAll(join(folder, 'tarballs')))
  ;[redis, postgres] = await Promise.all([RedisServer.start('--appendonly', 'yes'), PostgresServer.start()])
}, 180_000)
afterAll(async () => {
  await Promise.all([registry?.close(), redis?.stop(), postgres?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

/** A README, tried in a folder of its own. What the machine has on other ports is replaced, and nothing else. */
class Trial {
  readonly #children: ChildProcess[] = []
  readonly #fences: readonly Fence[]
  readonly #started = performance.now()
  readonly folder: string
  readonly page: Page
  readonly port: number
  readonly issuerPort: number

  constructor(name: string, port: number, issuerPort: number) {
    this.port = port
    this.issuerPort = issuerPort
    this.page = readPages().find(({ path }) => path === `packages/${name}/README.md`) as Page
    this.#fences = fencesOf(this.page)
    this.folder = join(folder, name)
    mkdirSync(this.folder)
    useRegistry(this.folder, registry)
  }

  seconds = (): number => (performance.now() - this.#started) / 1000

  here = (text: string): string =>
    text
      .replaceAll('3000', String(this.port))
      .replaceAll('8787', String(this.issuerPort))
      .replaceAll('redis://127.0.0.1:6379', redis.url)
      .replaceAll('postgres://app@127.0.0.1/app', postgres.url)

  env = (): NodeJS.ProcessEnv => ({
    ...cleanEnvironment(),
    SCHEDULER_HMAC_SECRET: SECRET,
    DATABASE_URL: postgres.url,
    npm_config_prefix: this.folder,
    npm_config_globalconfig: join(this.folder, 'etc/npmrc'),
    PATH: `${join(this.folder, 'bin')}:${process.env.PATH}`,
  })

  /** Runs the first block of shell lines, which installs. The registry is in this process, which must not wait in a call. */
  async install(): Promise<void> {
    const [lines] = this.#fences.filter(({ language }) => language === 'sh')
    const toInstall = (lines?.code ?? '').split('\n').filter((line) => !line.startsWith('countersign '))
    expect(toInstall[0]).toMatch(/^npm install /)
    const { child, printed } = this.spawn('sh', ['-ec', this.here(toInstall.join('\n'))])
    await once(child, 'close')
    if (child.exitCode !== 0) throw new Error(printed())
  }

  /** Saves the program with this number in the file that the page names, and starts it with Node. */
  start(index = 0): Running {
    const { code } = this.#fences.filter(({ language }) => language === 'ts')[index] as Fence
    const names = Array.from(this.page.text.matchAll(/ave it as `(\w+\.mjs)`/g), ([, name]) => name as string)
    const name = names[index] as string
    writeFileSync(join(this.folder, name), this.here(code))
    return this.spawn(process.execPath, [name])
  }

  spawn(command: string, words: readonly string[], port = this.port): Running {
    const child = spawn(command, words, {
      cwd: this.folder,
      env: this.env(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#children.push(child)
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)))
    return { url: `http://localhost:${port}`, child, printed: () => printed }
  }

  /** Sends the refused request of the page. Its answer must be that of the page. */
  async seeRefusal(): Promise<void> {
    const [shown] = shownAnswers(this.page)
    const response = await sendCurl(shown?.command ?? '', this.here)
    expect(await asShown(response, shown?.answer ?? '')).toBe(this.here(shown?.answer ?? ''))
    expect(response.status).toBe(401)
  }

  /** npx has a child: the group ends. */
  async end(): Promise<void> {
    for (const child of this.#children.filter(({ exitCode }) => exitCode === null)) {
      const gone = once(child, 'close')
      process.kill(-(child.pid as number), 'SIGKILL')
      await gone
    }
  }
}

/** How the first 200 comes, by the package. What has no entry shows refusals alone. */
const FIRST_GRANT: Readonly<Record<string, (trial: Trial, running: Running) => Promise<number>>> = {
  async hmac(trial) {
    const client = trial.start(1)
    await once(client.child, 'close')
    return Number(client.printed())
  },
  async 'oauth-bearer'(trial) {
    forgetNpx(trial.folder)
    const words = ['@countersign/cli', 'dev', '--app', trial.here('http://localhost:3000/mcp')]
    const dev = trial.spawn('npx', ['--yes', ...words, '--port', String(trial.issuerPort)], trial.issuerPort)
    const command = () =>
      /^ {2}(curl .*'[Aa]uthorization: Bearer .*)$/m.exec(dev.printed().split('access tokens')[1] ?? '')?.[1]
    await until(dev, () => command() !== undefined)
    return (await sendCurl(command() as string, (url) => url)).status
  },
  async 'mcp-credential'(trial, running) {
    const authorization = await printedAuthorization(running)
    const [, line = ''] = /^(curl .*Bearer mcps_….*)$/m.exec(trial.page.text) ?? []
    return (await sendCurl(line.replace('Bearer mcps_…', authorization), trial.here)).status
  },
  async 'settings-session'(_trial, running) {
    const link = () => /^http:\S+$/m.exec(running.printed())?.[0]
    await until(running, () => link() !== undefined)
    const browser = new TestBrowser(running.url)
    await browser.confirm(link() as string)
    return (await browser.send('/settings/notifications')).status
  },
}

/** A row of the table in docs/README.md. */
function print(name: string, figures: readonly number[]): void {
  if (isLong) process.stdout.write(`| ${name} | ${figures.map((each) => each.toFixed(1)).join(' | ')} |\n`)
}

const GATES = Object.keys(FIRST_GRANT)
const REFUSING = ['core', 'audit', 'redis', 'postgres']

test.each(isLong ? [...GATES, ...REFUSING] : ['hmac'])(
  'a new user of %s has a 401 and a 200 by the README alone',
  async (name) => {
    const trial = new Trial(name, await freePort(), await freePort())
    try {
      await trial.install()
      const installed = trial.seconds()
      const running = trial.start()
      await until(running, () => isListening(running))
      await trial.seeRefusal()
      const refused = trial.seconds()
      const grant = FIRST_GRANT[name]
      if (grant !== undefined) expect(await grant(trial, running)).toBe(200)
      const figures = [installed, refused, ...(grant === undefined ? [] : [trial.seconds()])]
      print(name, figures)
    } finally {
      await trial.end()
    }
  },
  240_000,
)

test.each(isLong ? readdirSync(examplesFolder) : ['service-to-service'])(
  'a new user of docs/examples/%s has what its README shows, in a copy of the folder',
  async (name) => {
    const { installed, refused, granted } = await tryExample(name, folder, registry)
    print(name, [installed, refused, granted])
  },
  240_000,
)

if (isLong) {
  test('a new user of testing sees a request that is granted and one that is not', async () => {
    const trial = new Trial('testing', await freePort(), await freePort())
    try {
      await trial.install()
      const running = trial.start()
      await once(running.child, 'close')
      expect(running.printed()).toBe("200\n401\n[ undefined, 'digest_mismatch' ]\n")
    } finally {
      await trial.end()
    }
  }, 240_000)

  test('a new user of the command has all four gates', async () => {
    const trial = new Trial('cli', await freePort(), await freePort())
    try {
      await trial.install()
      const dev = trial.spawn('countersign', ['dev', '--port', String(trial.issuerPort)], trial.issuerPort)
      await until(dev, () => /'http\S+\/agent' -H/.test(dev.printed()))
      await trial.seeRefusal()
      const commands = Array.from(dev.printed().matchAll(/^ {2}(curl -i .*)$/gm), ([, command = '']) => command)
      expect(commands.length).toBeGreaterThan(2)
      for (const command of commands) expect((await sendCurl(command, (url) => url)).status).toBe(200)
    } finally {
      await trial.end()
    }
  }, 240_000)
}
