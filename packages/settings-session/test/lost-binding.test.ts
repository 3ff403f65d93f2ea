import { UnavailableError } from '@countersign/core'
import { memorySessions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { requiredAudit, SINK_FAILURES } from '../../../test/support/required-audit.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { redisSubject, type StoreSubject } from './support/store-subjects.js'

type Subject = Pick<StoreSubject, 'store' | 'close'>
let users = 0

let provider: HostileProvider
beforeAll(async () => {
  provider = await startHostileProvider()
})
afterAll(() => provider?.close())

describe.each([
  ['memory', async (): Promise<Subject> => ({ store: memorySessions(), close: async () => undefined })],
  ['Redis', redisSubject],
] as const)('in %s', (_name, start) => {
  let subject: Subject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  async function signIn(app: Harness, userId: string) {
    const browser = app.browser()
    await browser.confirm(await app.link({ userId }))
    const begun = await browser.send('/settings/oauth/start')
    const { status } = await browser.send(provider.answerTo(begun.headers.get('location') as string))
    return { status, settings: (await browser.send('/settings')).status }
  }

  test.each(SINK_FAILURES.flatMap((how) => [['claimIdentity', how] as const, ['rebind', how] as const]))(
    'what %s bound, and whose answer was lost, opens nothing while a required sink %s, and is recorded before it does',
    async (operation, how) => {
      const required = requiredAudit()
      const userId = String(8000 + users++)
      const user = { platform: 'telegram', userId }
      let isLost = true
      const lose = async <T>(result: Promise<T>): Promise<T> => {
        const answer = await result
        if (isLost) throw new UnavailableError('session_store', 'the answer was lost')
        return answer
      }
      const { store } = subject
      const losing: SettingsStore = {
        ...store,
        claimIdentity: (claim) => lose(Promise.resolve(store.claimIdentity(claim))),
        rebind: (...args) => lose(Promise.resolve(store.rebind(...args))),
      }
      const { audit } = required
      const { oauth } = provider
      const app = await settingsApp({ store: losing, audit, oauth, firstClaim: 'trust-link', realTime: true })
      provider.claims = { sub: `sub-${userId}` }
      const claimed = () => required.recorded.filter(({ type }) => type === 'settings.identity.claimed').length
      if (operation === 'rebind') {
        // Whose issuer the provider is, a first sign-in tells; it is unlinked again.
        isLost = false
        await signIn(app, userId)
        const identity = await app.settings.identityOf(user)
        await app.settings.unlink(user)
        isLost = true
        await expect(app.settings.rebind(user, identity as never)).rejects.toMatchObject({
          dependency: 'session_store',
        })
      } else {
        expect((await signIn(app, userId)).status).toBe(503)
      }
      isLost = false
      const before = claimed()
      expect(await app.settings.identityOf(user)).toMatchObject({ subject: `sub-${userId}` })
      required.fail(how, 'settings.identity.claimed')
      expect(await signIn(app, userId)).toEqual({ status: 503, settings: 401 })
      expect(await app.settings.list(user)).toEqual(operation === 'rebind' ? [] : [expect.anything()])
      required.fail(undefined)
      expect(claimed()).toBe(before)
      expect(await signIn(app, userId)).toEqual({ status: 303, settings: 200 })
      expect(claimed()).toBe(before + 1)
      expect(await signIn(app, userId)).toEqual({ status: 303, settings: 200 })
      expect(claimed()).toBe(before + 1)
      await app.close()
    },
  )
})
