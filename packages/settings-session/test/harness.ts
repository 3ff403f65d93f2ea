import type { AuditEvent } from '@countersign/core'
import {
  createSettingsSessions,
  type LinkRequest,
  memorySessions,
  type RequireSettingsSessionOptions,
  requireSettingsSession,
  type SettingsSessions,
  type SettingsSessionsOptions,
} from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import helmet from 'helmet'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { TestBrowser } from './browser.js'
import { hear } from './support/canary.js'

export interface Harness extends RunningServer {
  readonly clock: FakeClock
  readonly events: AuditEvent[]
  readonly settings: SettingsSessions
  readonly store: SettingsStore
  /** `http://127.0.0.1:<port>/settings` */
  readonly baseUrl: string
  /** The link of a new link for a user. */
  link(request?: Partial<LinkRequest>): Promise<string>
  browser(): TestBrowser
  /** The reason of the last event, or its type when it has none. */
  last(): string | undefined
}

export interface HarnessOptions extends Partial<SettingsSessionsOptions> {
  readonly gate?: Omit<RequireSettingsSessionOptions, 'settings'>
  readonly before?: (app: Express, settings: SettingsSessions) => void
  readonly realTime?: boolean
  /** Mounts pages of the app behind the gate. */
  readonly pageOfTheApp?: (app: Express) => void
}

/** An app with helmet's defaults, the routes at /settings, and a gate on everything below it. */
export async function settingsApp(options: HarnessOptions = {}): Promise<Harness> {
  let handler: Express | undefined
  const running = await serve((request, response) => handler?.(request, response))
  try {
    return createHarness(running, options, (app) => {
      handler = app
    })
  } catch (error) {
    await running.close()
    throw error
  }
}

function createHarness(running: RunningServer, options: HarnessOptions, listen: (app: Express) => void): Harness {
  const { gate, before, realTime = false, pageOfTheApp, ...rest } = options
  const clock = fakeClock(realTime ? Date.now() : undefined)
  const { audit, events } = recordedAudit()
  const baseUrl = `${running.url}/settings`
  const times = realTime ? {} : { clock }
  const store = rest.store ?? memorySessions(times)
  const settings = createSettingsSessions({ baseUrl, audit, ...times, ...rest, store })
  const app = express()
  app.use(helmet())
  before?.(app, settings)
  app.use('/settings', settings.routes())
  app.use('/settings', requireSettingsSession({ settings, ...times, ...gate }))
  pageOfTheApp?.(app)
  app.use('/settings', (request, response) => {
    response.json({ principal: request.principal, csrf: settings.csrfToken(request) })
  })
  app.use((error: unknown, _request: Request, _response: Response, next: NextFunction) => {
    hear(error)
    next(error)
  })
  listen(app)
  return {
    ...running,
    clock,
    events,
    settings,
    store,
    baseUrl,
    async link(request = {}) {
      let url = ''
      const user = { platform: 'telegram', userId: 'u1', ...request } as LinkRequest
      await settings.deliver(await settings.issueLink(user), (sensitive) => {
        url = sensitive.reveal('deliver-to-user')
      })
      return url
    },
    browser: () => new TestBrowser(running.url),
    last: () => events.at(-1)?.reason ?? events.at(-1)?.type,
  }
}
