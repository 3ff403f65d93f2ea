import { once } from 'node:events'
import { connect } from 'node:net'
import { createSettingsSessions, requireSettingsSession, type SettingsSessions } from '@countersign/settings-session'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { Browser } from '../../packages/demo/src/browser.js'
import { launchChromium } from '../support/chromium.js'
import { serve } from '../support/http-server.js'
import { type Headers, refused, startWebSocketApp, type WebSocketApp } from '../support/websocket-app.js'

let world: WebSocketApp
let settings: SettingsSessions
beforeEach(async () => {
  world = await startWebSocketApp()
  settings = createSettingsSessions({ baseUrl: `${world.origin}/settings`, audit: world.audit })
  world.app.use('/settings', settings.routes())
})
afterEach(() => world.close())

describe('[settings-upgrade-origin] requireSettingsSession', () => {
  async function cookieOf(): Promise<string> {
    const browser = new Browser()
    await settings.deliver(await settings.issueLink({ platform: 'test', userId: 'u1' }), async (link) => {
      await browser.confirm(link.reveal('deliver-to-user'))
    })
    return Array.from(browser.cookies, ([name, value]) => `${name}=${value}`).join('; ')
  }
  const gateOf = () => requireSettingsSession({ settings, audit: world.audit })

  test('lets a page of our own through', async () => {
    world.serve(gateOf())
    const cookie = await cookieOf()
    expect(await world.talk({ Cookie: cookie, Origin: world.origin })).toBe('settings-session: hello')
    const fetchMetadata = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'websocket' }
    expect(await world.talk({ Cookie: cookie, Origin: world.origin, ...fetchMetadata })).toBe('settings-session: hello')
    expect(
      world
        .decisions()
        .slice(-2)
        .map(([route, gate]) => [route, gate]),
    ).toEqual([
      ['/live', 'settings-session'],
      ['/live', 'settings-session'],
    ])
  })

  test.each<[string, () => Headers]>([
    ['another site', () => ({ Origin: 'https://evil.example' })],
    ['a sibling port', () => ({ Origin: 'http://localhost:1' })],
    ['a sandboxed page', () => ({ Origin: 'null' })],
    [
      'a sandboxed page that the browser calls same-origin',
      () => ({ Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }),
    ],
    ['nobody who says so', () => ({})],
    ['nobody but the metadata', () => ({ 'Sec-Fetch-Site': 'same-origin' })],
    ['our origin, called another site', () => ({ Origin: world.origin, 'Sec-Fetch-Site': 'cross-site' })],
    ['a program with the CSRF token alone', () => ({ 'X-CSRF-Token': 'whatever' })],
  ])('refuses an upgrade of %s, although the cookie is good', async (_title, headers) => {
    world.serve(gateOf())
    expect(await world.talk({ Cookie: await cookieOf(), ...headers() })).toEqual(refused(403))
    expect(world.decisions().at(-1)).toEqual(['/live', 'settings-session', 'cross_site'])
  })

  test('refuses a bad cookie, none, and a browser that would get a page elsewhere gets the problem document', async () => {
    world.serve(gateOf())
    const html = { Origin: world.origin, Accept: 'text/html' }
    expect(await world.talk({ Cookie: '__Host-countersign-settings=nonsense', ...html })).toEqual(refused(401))
    expect(await world.talk(html)).toEqual(refused(401))
    expect(world.decisions().map(([, , reason]) => reason)).toEqual(['malformed', 'missing'])
  })

  test('does so, too, where a library runs the routes of Express on upgrades', async () => {
    const cookie = await cookieOf()
    const app = express()
    app.get('/live', gateOf(), (_request, response) => {
      response.end('let in')
    })
    world.server.removeAllListeners('request').on('request', app)
    const handshake = { Connection: 'Upgrade', Upgrade: 'websocket', Cookie: cookie }
    const answer = async (headers: Headers) => {
      const socket = connect(world.port, '127.0.0.1')
      const lines = Object.entries({ ...handshake, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`GET /live HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n`)
      const [first] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return String(first).split('\r\n', 1)[0]
    }
    expect(await answer({ Origin: 'https://evil.example' })).toBe('HTTP/1.1 403 Forbidden')
    expect(await answer({ Origin: world.origin })).toBe('HTTP/1.1 200 OK')
  })

  test('in a real browser, lets our page in, and not a page of the same site to which the cookie is sent as well', async () => {
    world.serve(gateOf())
    world.app.get('/page', (_request, response) => {
      response.send('ours')
    })
    // Another port is another origin, and the same site: the browser sends the cookie there.
    const neighbour = await serve((_request, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end('theirs')
    })
    const chromium = await launchChromium()
    try {
      const page = await chromium.newPage()
      await settings.deliver(await settings.issueLink({ platform: 'test', userId: 'u1' }), async (link) => {
        await page.goto(link.reveal('deliver-to-user'))
      })
      await page.locator('button').first().click()
      await page.waitForURL(`${world.origin}/settings**`)
      const connectFrom = async (url: string) => {
        await page.goto(url)
        const target = `ws://localhost:${world.port}/live`
        return page.evaluate(`new Promise((resolve) => {
          const socket = new WebSocket('${target}')
          socket.onopen = () => socket.send('hello')
          socket.onmessage = ({ data }) => resolve(data)
          socket.onerror = () => resolve('failed')
        })`)
      }
      expect(await connectFrom(`${world.origin}/page`)).toBe('settings-session: hello')
      expect(await connectFrom(`http://localhost:${neighbour.port}/`)).toBe('failed')
      expect(world.decisions().at(-1)).toEqual(['/live', 'settings-session', 'cross_site'])
    } finally {
      await chromium.close()
      await neighbour.close()
    }
  })
})
