import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'
import { until } from './support/until.js'

let app: Harness
beforeAll(async () => {
  app = await settingsApp()
})
afterAll(() => app.close())

const FORM = 'application/x-www-form-urlencoded'

/** A browser with an open link, the token of its form, and what posts a body to the form's action. */
async function opening(userId: string) {
  const browser = app.browser()
  const { action, fields } = await browser.form(await browser.open(await app.link({ userId })))
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    browser.send(action, { method: 'POST', headers: { origin: app.url, 'content-type': FORM, ...headers }, body })
  return { browser, token: `token=${fields.token}`, post }
}

describe('[settings-malformed] the body of a form', () => {
  test.each([
    ['of 4096 bytes and 20 fields', (token: string) => `${token}${'&a=1'.repeat(18)}&b=`.padEnd(4096, 'x'), 303],
    ['of 4097 bytes', (token: string) => `${token}&b=`.padEnd(4097, 'x'), 403],
    ['of 21 fields', (token: string) => `${token}${'&a=1'.repeat(20)}`, 403],
    ['with its token twice', (token: string) => `${token}&${token}`, 403],
    ['with broken encoding beside the token', (token: string) => `${token}&a=%E0%A4%A`, 303],
    ['with a prototype', (token: string) => `__proto__[token]=1&constructor=2&${token.slice(0, 12)}`, 403],
  ] as const)('%s', async (name, bodyWith, status) => {
    const { token, post } = await opening(name)
    expect((await post(bodyWith(token))).status).toBe(status)
    if (status === 403) {
      expect(app.last()).toBe('cross_site')
      expect((await post(token)).status).toBe(303)
    }
  })

  test('that is compressed is refused', async () => {
    const { token, post } = await opening('gzip')
    expect((await post(new Uint8Array(gzipSync(token)), { 'content-encoding': 'gzip' })).status).toBe(403)
    expect((await post(token)).status).toBe(303)
  })

  test('is read as UTF-8, with parameters after its type', async () => {
    const { token, post } = await opening('charset')
    expect((await post(token, { 'content-type': `${FORM}; charset=utf-8` })).status).toBe(303)
  })

  test('that is cut off opens nothing, and is one event', async () => {
    const { browser, token, post } = await opening('cut')
    app.events.length = 0
    const socket = connect(app.port, '127.0.0.1')
    const head = [
      'POST /settings/open HTTP/1.1',
      'Host: 127.0.0.1',
      `Origin: ${app.url}`,
      `Cookie: ${browser.cookie}`,
      `Content-Type: ${FORM}`,
      'Content-Length: 1000',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${token}`, () => socket.destroy())
    await until(
      () => app.events.length,
      (count) => count > 0,
    )
    expect(app.events.map(({ reason }) => reason)).toEqual(['cross_site'])
    expect((await post(token)).status).toBe(303)
  })
})

test('the routes leave every other path and method to the app', async () => {
  const browser = app.browser()
  await browser.confirm(await app.link())
  const headers = { origin: app.url }
  for (const [method, path] of [
    ['GET', '/settings/'],
    ['GET', '/settings/OPEN'],
    ['GET', '/settings/open/more'],
    ['GET', '/settings/oauth/start'],
    ['PUT', '/settings/open'],
    ['PUT', '/settings/logout'],
    ['POST', '/settings/telegram'],
  ] as const) {
    const answer = await browser.send(path, { method, headers })
    expect(`${method} ${path} ${answer.status} ${answer.headers.get('content-type')}`).toBe(
      `${method} ${path} 200 application/json; charset=utf-8`,
    )
  }
  // A slash at the end is the same page.
  expect((await browser.post('/settings/logout/')).status).toBe(200)
  expect((await browser.send('/settings')).status).toBe(401)
})

test('an OPTIONS request of a route is answered with its methods, and of no route passed on', async () => {
  const options = async (path: string) => {
    const { status, headers } = await fetch(`${app.url}/settings${path}`, { method: 'OPTIONS' })
    return [status, headers.get('allow')]
  }
  expect(await options('/open')).toEqual([204, 'GET, POST'])
  expect(await options('/logout')).toEqual([204, 'GET, POST'])
  expect(await options('/nothing')).toEqual([401, null])
})
