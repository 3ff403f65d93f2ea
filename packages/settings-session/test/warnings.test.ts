import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'

const PAGES = 'https://countersign.example/errors'
const FORM = 'application/x-www-form-urlencoded'

let app: Harness | RunningServer | undefined
let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(async () => {
  stop()
  await app?.close()
})

describe('settings.routes()', () => {
  /** Mounts the routes by hand, and gets these paths, each of them twice. */
  async function visit(
    baseUrl: string,
    mount: (app: Express, routes: express.RequestHandler) => void,
    paths: string[],
  ) {
    const handler = express()
    mount(handler, createSettingsSessions({ baseUrl }).routes())
    app = await serve(handler)
    for (const path of [...paths, ...paths]) await fetch(`${app.url}${path}`)
  }

  test.each<[string, string, (app: Express, routes: express.RequestHandler) => void, string[], string]>([
    ['another path', 'one', (host, routes) => host.use('/prefs', routes), ['/prefs/a', '/prefs'], '"/prefs"'],
    ['the root', 'two', (host, routes) => host.use(routes), ['/', '/two/open'], '"/"'],
    ['a path below', 'three', (host, routes) => host.use('/three/x', routes), ['/three/x'], '"/three/x"'],
  ])('at %s is told of once', async (_where, path, mount, paths, place) => {
    await visit(`http://localhost/${path}`, mount, paths)
    expect(warnings).toEqual([
      {
        code: 'COUNTERSIGN_SETTINGS_MISPLACED',
        message: `settings.routes() is mounted at ${place}, but its links lead to /${path}. See ${PAGES}/COUNTERSIGN_SETTINGS_MISPLACED`,
        detail: `Mount it where baseUrl says: app.use('/${path}', settings.routes()). Or correct baseUrl.`,
      },
    ])
  })

  test.each<[string, string, (app: Express, routes: express.RequestHandler) => void, string[]]>([
    [
      'at the path of baseUrl',
      '/settings',
      (host, routes) => host.use('/settings', routes),
      ['/settings', '/SETTINGS/x'],
    ],
    ['at the root, as baseUrl says', '', (host, routes) => host.use(routes), ['/', '/a/b']],
    // The proxy takes /app off, or all of it.
    [
      'behind a proxy that strips a part',
      '/app/settings',
      (host, routes) => host.use('/settings', routes),
      ['/settings'],
    ],
    ['behind a proxy that strips all', '/settings', (host, routes) => host.use(routes), ['/', '/open', '/settingsx']],
  ])('%s is in its place', async (_case, path, mount, paths) => {
    await visit(`http://localhost${path}`, mount, paths)
    expect(warnings).toEqual([])
  })

  test('behind the gate are told of once, when somebody opens a link', async () => {
    const host = express()
    const settings = createSettingsSessions({ baseUrl: 'http://localhost/behind' })
    host.use('/behind', requireSettingsSession({ settings }), settings.routes())
    app = await serve(host)
    let url = ''
    await settings.deliver(await settings.issueLink({ platform: 'slack', userId: 'u' }), (link) => {
      url = link.reveal('deliver-to-user')
    })
    for (const path of ['/behind/page', '/behind', '/behind?a=x']) await fetch(`${app.url}${path}`)
    expect(warnings).toEqual([])
    for (let round = 0; round < 2; round += 1) {
      const { pathname, search } = new URL(url)
      expect((await fetch(`${app.url}${pathname}${search}`)).status).toBe(400)
      await fetch(`${app.url}/behind/open`)
    }
    expect(warnings).toEqual([
      {
        code: 'COUNTERSIGN_SETTINGS_ROUTES_BEHIND_GATE',
        message: `requireSettingsSession refused a request that opens a link, so nobody can get a session. See ${PAGES}/COUNTERSIGN_SETTINGS_ROUTES_BEHIND_GATE`,
        detail: 'Mount settings.routes() before the gate.',
      },
    ])
  })
})

describe('a body', () => {
  /** Reads the body, and leaves this on the request. */
  const swallow =
    (left: (bytes: Buffer) => unknown): NonNullable<HarnessOptions['before']> =>
    (host) =>
      host.use(async (request, _response, next) => {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        request.body = left(Buffer.concat(chunks))
        next()
      })

  async function postForm(before: HarnessOptions['before']) {
    await app?.close()
    const started = await settingsApp(before === undefined ? {} : { before })
    app = started
    const browser = started.browser()
    const { action, fields } = await browser.form(await browser.open(await started.link()))
    const headers = { origin: started.url, 'content-type': FORM }
    const statuses = []
    for (let round = 0; round < 2; round += 1) {
      const body = `token=${fields.token}`
      statuses.push((await browser.send(action, { method: 'POST', headers, body })).status)
    }
    return statuses
  }

  test('that something reads and does not parse before the routes is told of once', async () => {
    expect(await postForm(swallow(() => undefined))).toEqual([403, 403])
    expect(await postForm(swallow((bytes) => bytes))).toEqual([403, 403])
    expect(warnings).toEqual([
      {
        code: 'COUNTERSIGN_SETTINGS_NOT_PARSED',
        message: `settings.routes() got a body of ${FORM} that is not in req.body, so the request was refused. See ${PAGES}/COUNTERSIGN_SETTINGS_NOT_PARSED`,
        detail: expect.stringContaining('Mount settings.routes() before that'),
      },
    ])
  })

  test.each([
    ['nothing reads', undefined],
    ['express.urlencoded() parses', (host: Express) => void host.use(express.urlencoded())],
  ])('that %s is nothing to tell', async (_what, before) => {
    expect((await postForm(before))[0]).toBe(303)
    expect(warnings).toEqual([])
  })

  test('that may hold the CSRF token and reaches the gate unparsed is told of once', async () => {
    const started = await settingsApp()
    app = started
    const browser = started.browser()
    await browser.confirm(await started.link())
    const { csrf } = (await (await browser.send('/settings/page')).json()) as { csrf: string }
    for (let round = 0; round < 3; round += 1) {
      const headers = { 'content-type': FORM, cookie: browser.cookie }
      const answer = await fetch(`${started.url}/settings/page`, { method: 'POST', headers, body: `_csrf=${csrf}` })
      expect(answer.status).toBe(403)
    }
    expect(warnings.map(({ code, detail }) => [code, detail])).toEqual([
      ['COUNTERSIGN_SETTINGS_NOT_PARSED', expect.stringContaining('X-CSRF-Token')],
    ])
    expect(JSON.stringify(warnings)).not.toContain(csrf)
  })
})
