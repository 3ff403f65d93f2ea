import { type Audit, type AuditEvent, createAudit, UnavailableError } from '@countersign/core'
import { memorySessions, type SettingsSessionsOptions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { requiredAudit, SINK_FAILURES } from '../../../test/support/required-audit.js'
import { type Harness, settingsApp } from './harness.js'
import { redisSubject, type StoreSubject } from './support/store-subjects.js'
import { until } from './support/until.js'

const SESSION = '__Host-countersign-settings-session'
let users = 0

type Subject = Pick<StoreSubject, 'store' | 'close'>

describe.each([
  ['memory', async (): Promise<Subject> => ({ store: memorySessions(), close: async () => undefined })],
  ['Redis', redisSubject],
] as const)('in %s', (_name, start) => {
  let subject: Subject
  let userId: string
  let app: Harness | undefined
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())
  beforeEach(() => {
    userId = String(4711 + users++)
  })
  afterEach(async () => app?.close())

  const user = () => ({ platform: 'telegram', userId })
  async function world(store: SettingsStore, audit: Audit, onOpen?: SettingsSessionsOptions['onOpen']) {
    app = await settingsApp({ store, audit, realTime: true, onOpen })
    return { settings: app.settings, browser: app.browser(), link: await app.link({ userId }) }
  }

  test('a second click is granted when it is recorded itself, and not before', async () => {
    const held: { readonly fail: () => void; readonly take: () => void }[] = []
    const audit = createAudit()
    const write = (event: AuditEvent) =>
      event.type === 'settings.session.opened'
        ? new Promise<void>((take, reject) => held.push({ take, fail: () => reject(new Error('the disk is full')) }))
        : undefined
    audit.subscribe({ name: 'slow', write }, { required: true, deadlineMs: 60_000 })
    const opened: string[] = []
    const { browser, link } = await world(subject.store, audit, ({ principal }) => void opened.push(principal.id))
    const { action, fields } = await browser.form(await browser.open(link))
    const clicks = [browser.post(action, fields), browser.post(action, fields)]
    await until(
      () => held.length,
      (count) => count === 2,
    )
    expect([opened, browser.cookies.has(SESSION)]).toEqual([[], false])
    for (const { fail } of held.splice(0)) fail()
    expect((await Promise.all(clicks)).map(({ status }) => status)).toEqual([503, 503])
    expect([opened, browser.cookies.has(SESSION)]).toEqual([[], false])
    // The link was freed: the person is not to blame.
    const later = browser.post(action, fields)
    await until(() => held.length, Boolean)
    for (const { take } of held) take()
    expect((await later).status).toBe(303)
    expect([opened, (await browser.send('/settings')).status]).toEqual([[`telegram:${userId}`], 200])
  })

  test.each(SINK_FAILURES)(
    'a click after one whose answer was lost is recorded, also when a sink first %s',
    async (how) => {
      const required = requiredAudit()
      const { store } = subject
      let isLost = true
      const losing: SettingsStore = {
        ...store,
        exchange: async (exchange) => {
          const result = await store.exchange(exchange)
          if (isLost) throw new UnavailableError('session_store', 'the answer was lost')
          return result
        },
      }
      const { settings, browser, link } = await world(losing, required.audit)
      const { action, fields } = await browser.form(await browser.open(link))
      expect((await browser.post(action, fields)).status).toBe(503)
      isLost = false
      expect(required.recorded.filter(({ type }) => type === 'settings.session.opened')).toEqual([])
      required.fail(how, 'settings.session.opened')
      expect((await browser.post(action, fields)).status).toBe(503)
      expect(browser.cookies.has(SESSION)).toBe(false)
      // Whose session it is this request does not know: the first one's may have been recorded.
      expect(await settings.list(user())).toHaveLength(1)
      required.fail(undefined)
      expect((await browser.post(action, fields)).status).toBe(303)
      expect((await browser.send('/settings')).status).toBe(200)
      const [opened] = required.recorded.filter(({ type }) => type === 'settings.session.opened')
      expect(opened?.attributes).toMatchObject({ repeated: true })
    },
  )
})
