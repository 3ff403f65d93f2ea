import { UnavailableError } from '@countersign/core'
import { createSettingsSessions, memorySessions } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await settingsApp({ pages: { lang: 'en-GB', theme: { brand: 'Acme <3', css: ':root{--accent:#a00}' } } })
})
afterAll(() => app.close())

describe('[settings-pages] the pages', () => {
  test('set their own headers over those of the app: no framing, no caching, no indexing, no script', async () => {
    const page = await app.browser().open(await app.link())
    const headers = Object.fromEntries(page.headers)
    const nonce = /<style nonce="([\w-]{22})">/.exec(await page.text())?.[1]
    expect(headers['content-security-policy']?.split(';')).toEqual([
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      `script-src 'nonce-${nonce}'`,
      "img-src 'none'",
      "connect-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ])
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'strict-origin',
      'x-frame-options': 'DENY',
      'x-robots-tag': 'noindex, nofollow',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'content-type': 'text/html; charset=utf-8',
    })
    const again = await app.browser().open(await app.link())
    expect(again.headers.get('content-security-policy')).not.toContain(String(nonce))
  })

  test('say what is opened, for whom (masked), and until when, in an accessible document', async () => {
    const text = await (
      await app.browser().open(await app.link({ userId: 'josephine', agentId: '<b>agent</b>' }))
    ).text()
    expect(text).toMatch(/^<!doctype html>\n<html lang="en-GB" dir="ltr">/)
    expect(text).toContain('<title>Open your settings – Acme &lt;3</title>')
    expect(text.match(/<h1>/g)).toHaveLength(1)
    expect(text.match(/<main>/g)).toHaveLength(1)
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
    expect(text).toContain('<dd><bdi>j•••e</bdi> on <bdi>Telegram</bdi></dd>')
    expect(text).not.toContain('josephine')
    expect(text).toContain('<dd><bdi>&lt;b&gt;agent&lt;/b&gt;</bdi></dd>')
    expect(text).toContain('<time datetime="2026-01-01T00:10:00.000Z">10 minutes</time>')
    expect(text).toContain(':root{--accent:#a00}')
    expect(text).not.toMatch(/<script| on\w+=| style="/)
  })

  test('are problem+json for a program, and HTML for a person', async () => {
    const link = await app.link()
    await app.browser().confirm(link)
    for (const accept of ['application/json', '*/*', 'application/problem+json, */*;q=0.1']) {
      const answer = await app.browser().send(link, { headers: { accept } })
      expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
      expect(await answer.json()).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 })
      expect(answer.headers.get('www-authenticate')).toBe('Countersign-Settings-Session')
    }
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    for (const path of [link, '/settings']) {
      const answer = await app.browser().send(path, { headers: { accept } })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([401, 'text/html; charset=utf-8'])
      expect(answer.headers.get('www-authenticate')).toBe('Countersign-Settings-Session')
      expect(await answer.text()).toContain('Ask for a new link in the chat')
    }
  })

  test('of the app that throw are a 500, whatever the refusal, and do not end the process', async () => {
    const store = memorySessions()
    const down = () => {
      throw new UnavailableError('session_store', 'down')
    }
    const broken = await settingsApp({
      store: { ...store, peekLink: down, revoke: down },
      pages: {
        error: () => {
          throw new Error('a fault of the page')
        },
      },
    })
    const browser = broken.browser()
    const session = `s1.0${'A'.repeat(16)}.${'A'.repeat(43)}`
    const link = `l1.0${'A'.repeat(16)}.${'A'.repeat(43)}`
    browser.cookies.set('__Host-countersign-settings', session)
    expect((await browser.send(`/settings?s=${link}`)).status).toBe(500)
    expect((await browser.post('/settings/logout')).status).toBe(500)
    expect((await browser.post('/settings/logout', { a: 'x'.repeat(5000) })).status).toBe(500)
    expect((await browser.send('/settings?s=x')).status).toBe(500)
    await broken.close()
  })

  test("can be replaced by the app's own", async () => {
    const own = await settingsApp({
      pages: {
        confirm: ({ action, fields, user }) =>
          `<form method="post" action="${action}"><input type="hidden" name="token" value="${fields.token}">${user}</form>`,
        error: ({ status, reason, title }) => `own ${status} ${reason} ${title}`,
      },
    })
    const person = own.browser()
    expect((await person.confirm(await own.link({ userId: 'me' }))).status).toBe(303)
    expect(await (await own.browser().send('/settings')).text()).toBe('own 401 missing You are not signed in')
    await own.close()
  })
})

describe('a wrong option', () => {
  const make = (options: object) => () => createSettingsSessions({ baseUrl: 'https://a.example.com/s', ...options })
  test.each([
    ['baseUrl', { baseUrl: undefined }],
    ['baseUrl', { baseUrl: 'http://a.example.com/s' }],
    ['baseUrl', { baseUrl: 'https://a.example.com/s?x=1' }],
    ['baseUrl', { baseUrl: 'https://user:pw@a.example.com/' }],
    ['baseUrl', { baseUrl: '/settings' }],
    ['linkTtlSeconds', { linkTtlSeconds: 86_401 }],
    ['idleTimeoutSeconds', { idleTimeoutSeconds: 7200 }],
    ['maxSessions', { maxSessions: 0 }],
    ['cookieName', { cookieName: 'a b' }],
    ['sameSite', { sameSite: 'none' }],
    ['kinds', { kinds: { settings: () => 1 } }],
    ['kinds', { kinds: { Integration: () => 1 } }],
    ['store', { store: {} }],
    ['pages.confirm', { pages: { confirm: 'x' } }],
    ['pages.theme', { pages: { theme: 'x' } }],
    ['pages.theme.brand', { pages: { theme: { brand: 1 } } }],
    ['pages.theme.colour', { pages: { theme: { colour: 'x' } } }],
    ['pages.error', { pages: { error: async () => '' } }],
    ['kinds', { kinds: { integration: async () => 1 } }],
    ['baseUrls', { baseUrls: 'x' }],
  ])('%s throws at creation, by name', (option, options) => {
    expect(make(options)).toThrow(expect.objectContaining({ name: 'OptionError', option }))
  })
})
