import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { fencesOf, readPages } from '../docs/markdown.js'
import { root } from '../structure/workspace.js'
import { freePort } from '../support/redis-server.js'
import { type Consumer, createConsumer } from './consumer.js'
import { isListening, type Running, startProgram, stopProgram, until } from './program.js'
import { cleanEnvironment, packAll } from './tarballs.js'

const examples = join(root, 'docs/examples')
const programs = readdirSync(examples).filter((name) => name.endsWith('.ts'))
const SECRETS = {
  SLACK_SIGNING_SECRET: 'a-signing-secret-of-the-tests',
  TELEGRAM_BOT_TOKEN: '123456789:a-bot-token-of-the-tests',
  TELEGRAM_WEBHOOK_SECRET: 'a-webhook-secret-of-the-tests',
}

let folder: string
let consumer: Consumer
const ports = new Map<string, number>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-examples-'))
  const dependencies = ['express', '@types/express', '@types/node']
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, packAll(folder))
  for (const name of programs) {
    const port = await freePort()
    ports.set(name, port)
    const code = readFileSync(join(examples, name), 'utf8').replaceAll('3000', String(port))
    writeFileSync(join(consumer.folder, name), code)
  }
  consumer.compile({ module: 'nodenext', outDir: 'out' })
  cpSync(join(examples, 'console'), join(consumer.folder, 'console'), { recursive: true })
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(name: string): Promise<Running> {
  const file = join('out', name.replace('.ts', '.js'))
  const running = startProgram(consumer.folder, file, ports.get(name) as number, SECRETS)
  await until(running, () => isListening(running))
  return running
}

/** What a platform posts when a person writes to the bot, and where the link and the digits are in the answer. */
type Ask = (running: Running) => Promise<{ readonly link: string; readonly code?: string }>

const ofSlack: Ask = async ({ url }) => {
  const post = (signature: string, sentAt: string) =>
    fetch(`${url}/slack/commands`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': sentAt,
        'x-slack-signature': signature,
      },
      body: 'command=%2Fsettings&team_id=T1&user_id=U1',
    })
  const sentAt = String(Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', SECRETS.SLACK_SIGNING_SECRET)
  const signature = `v0=${mac.update(`v0:${sentAt}:command=%2Fsettings&team_id=T1&user_id=U1`).digest('hex')}`
  expect((await post(`${signature.slice(0, -1)}x`, sentAt)).status).toBe(401)
  expect((await post(signature, '1')).status).toBe(401)
  const { text } = (await (await post(signature, sentAt)).json()) as { text: string }
  const [, link = '', code = ''] = /^<(.+)\|Open your settings>\. The page asks for: (\d+)$/.exec(text) ?? []
  return { link, code }
}

const ofTelegram: Ask = async ({ url }) => {
  const post = (secret: string, type: string) =>
    fetch(`${url}/telegram/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': secret },
      body: JSON.stringify({ message: { text: '/settings', chat: { id: 7, type }, from: { id: 7 } } }),
    })
  expect((await post('another', 'private')).status).toBe(401)
  expect(await (await post(SECRETS.TELEGRAM_WEBHOOK_SECRET, 'group')).text()).toBe('')
  const answer = await post(SECRETS.TELEGRAM_WEBHOOK_SECRET, 'private')
  const message = (await answer.json()) as { reply_markup: { inline_keyboard: [[{ url: string }]] } }
  return { link: message.reply_markup.inline_keyboard[0][0].url }
}

const ofTerminal: Ask = async (running) => {
  await until(running, () => /asks for: \d+\n/.test(running.printed()))
  const [, link = '', code = ''] = /^(http\S+)\nThe page asks for: (\d+)$/m.exec(running.printed()) ?? []
  return { link, code }
}

const asks: Readonly<Record<string, readonly [Ask, string]>> = {
  'slack.ts': [ofSlack, 'name="volume"'],
  'telegram.ts': [ofTelegram, 'The settings of user 7.'],
  'web.ts': [ofTerminal, 'The settings of u1.'],
}

describe('the program in docs/examples', () => {
  test('is one of those that are run here, and stands in the guide as it is', () => {
    expect(programs.sort()).toEqual(Object.keys(asks))
    const guide = readPages().filter(({ path }) => path === 'docs/guides/settings-session.md')
    const codes = guide.flatMap(fencesOf).map(({ code }) => code.trim())
    for (const name of programs) {
      expect(codes).toContain(readFileSync(join(examples, name), 'utf8').trim())
    }
  })

  test.each(Object.entries(asks))('%s sends a link, opens the settings, and signs out', async (name, [ask, shown]) => {
    const running = await start(name)
    try {
      const { link, code } = await ask(running)
      const person = new TestBrowser(running.url)
      expect((await person.send('/settings')).status).toBe(401)
      expect((await person.confirm(link, code === undefined ? {} : { code })).status).toBe(303)
      const page = await person.send('/settings')
      const text = await page.text()
      expect([page.status, text]).toEqual([200, expect.stringContaining(shown)])
      if (name === 'slack.ts') {
        expect((await person.post('/settings/volume', { volume: '9' })).status).toBe(303)
        expect(await (await person.send('/settings')).text()).toContain('value="9"')
      }
      if (name === 'web.ts') {
        expect(await (await person.post('/settings/delete')).text()).toBe('Everything of u1 is deleted.')
      }
      expect(text).toContain('<form method="post" action="/settings/logout"><button>Sign out</button></form>')
      expect((await person.post('/settings/logout')).status).toBe(200)
      expect((await person.send('/settings')).status).toBe(401)
    } finally {
      await stopProgram(running)
    }
  })
})

/** Starts the console as its page says. npm has a shell and Node below it: they end together. */
function startConsole(port: number, name = 'console'): Running {
  const child = spawn('npm', ['start'], {
    cwd: join(consumer.folder, name),
    env: { ...cleanEnvironment(), PORT: String(port), USER: 'ana', OLD_KEY: 'the-old-key' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)))
  return { url: `http://localhost:${port}`, printed: () => printed, child }
}

test('the console in docs/examples lets its operator alone in, and revokes in the name of the operator', async () => {
  const running = startConsole(await freePort())
  const { url, child } = running
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
    await stopConsole(child)
  }
}, 60_000)

async function stopConsole(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  if (child.exitCode === null && child.pid !== undefined && process.kill(-child.pid, 'SIGTERM')) await gone
}

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
  const running = startConsole(await freePort(), 'one-store')
  const { url, child } = running
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
    await stopConsole(child)
  }
}, 60_000)
