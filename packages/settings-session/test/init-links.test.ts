import {
  createSettingsSessions,
  leakGuard,
  parseReceipt,
  requireSettingsSession,
  SensitiveUrl,
} from '@countersign/settings-session'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import helmet from 'helmet'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { TestBrowser } from './browser.js'

interface Integration {
  readonly integrationId: string
  readonly accountId: string
}

function parseIntegration(value: unknown): Integration {
  const { integrationId, accountId } = value as Partial<Integration>
  if (typeof integrationId !== 'string' || typeof accountId !== 'string') throw new TypeError('no integration')
  return { integrationId, accountId }
}

/** What the person's chat shows. The agent does not see it. */
const chat: string[] = []
const { audit, events } = recordedAudit()
let server: RunningServer
let link: string
let makeLink: (metadata: unknown) => Promise<unknown>

// The worked example of the guide: an agent asks to connect an integration.
beforeAll(async () => {
  let handler: Express | undefined
  server = await serve((request, response) => handler?.(request, response))
  const integrations = createSettingsSessions({
    baseUrl: `${server.url}/integrations`,
    cookieName: 'integrations',
    audit,
    kinds: { integration: parseIntegration },
    onOpen: (opened) => {
      if (opened.kind !== 'integration') return undefined
      const { integrationId, accountId } = opened.metadata
      const authorize = `https://provider.example.com/authorize?client=${integrationId}&account=${accountId}&state=secret`
      return { goTo: new SensitiveUrl(authorize) }
    },
  })
  makeLink = (metadata) =>
    integrations.issueLink({ platform: 'slack', userId: 'u1', kind: 'integration', metadata: metadata as Integration })
  const app = express()
  app.use(helmet())
  app.post('/agent/connect', leakGuard({ audit }), async (_request, response) => {
    const issued = await integrations.issueLink({
      platform: 'slack',
      team: 't1',
      userId: 'u1',
      agentId: 'a1',
      kind: 'integration',
      metadata: { integrationId: 'calendar', accountId: 'acc1' },
    })
    const receipt = await integrations.deliver(issued, (url) => chat.push(url.reveal('deliver-to-user')))
    response.json(receipt)
  })
  app.post('/agent/careless', leakGuard({ audit }), (_request, response) => {
    response.json({ here: chat.at(-1) })
  })
  app.use('/integrations', integrations.routes())
  app.use(
    '/integrations',
    requireSettingsSession({ settings: integrations, kinds: ['integration'], audit }),
    (_request, response) => void response.send('connected'),
  )
  app.use(
    '/settings',
    requireSettingsSession({ settings: integrations, audit }),
    (_request, response) => void response.send('settings'),
  )
  handler = app
})
afterAll(() => server.close())

test('[settings-init-links] the agent gets the receipt and never the link', async () => {
  const answer = await fetch(`${server.url}/agent/connect`, { method: 'POST' })
  const text = await answer.text()
  expect(parseReceipt(text, 'integration')).toMatchObject({ type: 'integration_link', delivered: true })
  expect(text).not.toContain('l1.')
  link = chat.at(-1) as string
  expect(link).toContain(`${server.url}/integrations?s=l1.`)
  const careless = await fetch(`${server.url}/agent/careless`, { method: 'POST' })
  expect([careless.status, (await careless.text()).includes('l1.')]).toEqual([500, false])
})

test('[settings-init-links] the person confirms, and continues to the provider through a page of ours', async () => {
  const person = new TestBrowser(server.url)
  const page = await person.confirm(link)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain(
    '<a class="button" href="https://provider.example.com/authorize?client=calendar&amp;account=acc1&amp;state=secret">',
  )
  expect((await person.send('/integrations')).status).toBe(200)
  // What such a link opens is not the settings.
  expect((await person.send('/settings')).status).toBe(403)
  expect(events.at(-1)?.reason).toBe('wrong_kind')
  expect((await new TestBrowser(server.url).open(link)).status).toBe(401)
  expect(JSON.stringify(events)).not.toMatch(/[ls]1\.|state=secret/)
})

test('[settings-wrong-kind] metadata is validated before a link is made', async () => {
  await expect(makeLink({ integrationId: 1 })).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' })
  await expect(makeLink(undefined)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' })
})
