import { once } from 'node:events'
import { firstPresented, UnavailableError } from '@countersign/core'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import {
  createSettingsSessions,
  memorySessions,
  requireSettingsSession,
  type SettingsSessions,
} from '@countersign/settings-session'
import { fakeClock, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { WebSocket } from 'ws'
import { Browser } from '../../packages/demo/src/browser.js'
import { type Headers, startWebSocketApp, type WebSocketApp } from '../support/websocket-app.js'

const OFTEN = { recheckSeconds: 0.02 }
const SELDOM = { recheckSeconds: 3600 }

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer()
})
afterAll(() => issuer.stop())

let world: WebSocketApp
beforeEach(async () => {
  world = await startWebSocketApp()
})
afterEach(() => world.close())

const bearer = (token: string): Headers => ({ Authorization: `Bearer ${token}` })

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** That a socket is served still. */
async function expectOpen(client: WebSocket): Promise<void> {
  const answered = once(client, 'message')
  client.send('still here')
  expect(String((await answered)[0])).toMatch(/: still here$/)
}

describe('[oauth-sockets-end] the socket of a token', () => {
  const options = () => ({ issuer: issuer.url, resource: issuer.resource, audit: world.audit })

  test('is closed when the token has expired, and no other is', async () => {
    const clock = fakeClock(Date.now())
    world.serve(requireOAuthBearer({ ...options(), clock, ...OFTEN }))
    const expiresIn = (seconds: number) => ({ claims: { exp: Math.floor(Date.now() / 1000) + seconds } })
    const short = await world.connect(bearer(await issuer.token(expiresIn(60))))
    const long = await world.connect(bearer(await issuer.token(expiresIn(600))))
    const closed = once(short, 'close')
    clock.advance(50_000)
    await expectOpen(short)
    clock.advance(20_000)
    await closed
    await expectOpen(long)
    expect(world.decisions()).toHaveLength(2)
  })

  test.each<[string, (gate: ReturnType<typeof requireOAuthBearer>) => Parameters<WebSocketApp['serve']>[0]]>([
    ['the gate', (gate) => gate],
    ['one with scopes', (gate) => gate.scopes('files:read')],
    ['an optional one', (gate) => gate.optional()],
    [
      'a composed one',
      (gate) => firstPresented(requireMcpCredential({ credentials: createMcpCredentials(), audit: world.audit }), gate),
    ],
  ])('is closed when the token is revoked, at %s', async (_title, wrap) => {
    let isRevoked = false
    world.serve(wrap(requireOAuthBearer({ ...options(), isRevoked: () => isRevoked, attachAuthInfo: false, ...OFTEN })))
    const client = await world.connect(bearer(await issuer.token()))
    await expectOpen(client)
    isRevoked = true
    await once(client, 'close')
  })

  test('outlives a short outage, and is closed in a long one', async () => {
    let isDown = false
    let looks = 0
    const isRevoked = () => {
      looks += 1
      if (isDown) throw new UnavailableError('verifier', 'down')
      return false
    }
    world.serve(requireOAuthBearer({ ...options(), isRevoked, ...OFTEN }))
    const client = await world.connect(bearer(await issuer.token()))
    isDown = true
    const from = looks
    await until(() => looks >= from + 5)
    expect(client.readyState).toBe(WebSocket.OPEN)
    isDown = false
    const back = looks
    await until(() => looks >= back + 2)
    await expectOpen(client)
    isDown = true
    await once(client, 'close')
  })

  test('needs no check where nobody presented one', async () => {
    let looks = 0
    const isRevoked = () => {
      looks += 1
      return true
    }
    world.serve(requireOAuthBearer({ ...options(), isRevoked, ...OFTEN }).optional())
    await expectOpen(await world.connect())
    expect(looks).toBe(0)
  })
})

describe('[settings-sockets-end] the socket of a session', () => {
  const user = (userId: string) => ({ platform: 'test', userId })
  const store = memorySessions()
  let settings: SettingsSessions
  beforeEach(() => {
    settings = createSettingsSessions({ baseUrl: `${world.origin}/settings`, store, audit: world.audit })
    world.app.use('/settings', settings.routes())
  })

  /** A person's browser, with a session. */
  async function signIn(userId: string): Promise<Browser> {
    const browser = new Browser()
    await settings.deliver(await settings.issueLink(user(userId)), async (link) => {
      await browser.confirm(link.reveal('deliver-to-user'))
    })
    return browser
  }
  const connect = (browser: Browser) =>
    world.connect({
      Cookie: Array.from(browser.cookies, ([name, value]) => `${name}=${value}`).join('; '),
      Origin: world.origin,
    })

  test.each<[string, (browser: Browser, id: string) => Promise<unknown>]>([
    [
      'the person logs out',
      (browser) =>
        browser.open(`${world.origin}/settings/logout`, {
          method: 'POST',
          headers: { Origin: world.origin },
        }),
    ],
    ['the session is revoked', (_browser, id) => settings.revoke(id)],
    ['all sessions of the user are', () => settings.revokeAll(user('u1'))],
    [
      'the user is bound to another identity',
      () => settings.rebind(user('u1'), { issuer: 'https://id.example.com', subject: crypto.randomUUID() }),
    ],
  ])('is closed at once when %s, and no other is', async (_title, end) => {
    world.serve(requireSettingsSession({ settings, audit: world.audit, ...SELDOM }))
    const browser = await signIn('u1')
    const [client, other] = [await connect(browser), await connect(await signIn('u2'))]
    const [{ id } = { id: '' }] = await settings.list(user('u1'))
    await expectOpen(client)
    const closed = once(client, 'close')
    await end(browser, id)
    await closed
    await expectOpen(other)
  })

  test('is closed when the identity of its user is unlinked', async () => {
    world.serve(requireSettingsSession({ settings, audit: world.audit, ...SELDOM }))
    await settings.rebind(user('u3'), { issuer: 'https://id.example.com', subject: 'u3' })
    const client = await connect(await signIn('u3'))
    const closed = once(client, 'close')
    await settings.unlink(user('u3'))
    await closed
  })

  test('is closed when another process has ended the session, and another session of the user is not', async () => {
    world.serve(requireSettingsSession({ settings, audit: world.audit, ...OFTEN }))
    const client = await connect(await signIn('u4'))
    const [{ id } = { id: '' }] = await settings.list(user('u4'))
    const other = await connect(await signIn('u4'))
    const elsewhere = createSettingsSessions({ baseUrl: `${world.origin}/settings`, store, audit: world.audit })
    const closed = once(client, 'close')
    await elsewhere.revoke(id)
    await closed
    await expectOpen(other)
  })

  test('is closed when the session has been idle for too long: being open is no sign of life', async () => {
    const clock = fakeClock(Date.now())
    const idle = createSettingsSessions({
      baseUrl: `${world.origin}/idle`,
      idleTimeoutSeconds: 60,
      clock,
      audit: world.audit,
    })
    world.app.use('/idle', idle.routes())
    settings = idle
    world.serve(requireSettingsSession({ settings: idle, clock, audit: world.audit, ...OFTEN }))
    const client = await connect(await signIn('u5'))
    const closed = once(client, 'close')
    clock.advance(50_000)
    await expectOpen(client)
    clock.advance(11_000)
    await closed
  })
})
