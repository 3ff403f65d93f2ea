import { describe, test } from '@jest/globals'
import express, { type Express } from 'express'
import { type ContractRequest, gateContract } from '../../../test/support/gate-contract.js'
import { serve } from '../../../test/support/http-server.js'
import { createSettingsSessions, memorySessions, requireSettingsSession } from '../src/index.js'
import { TestBrowser } from './browser.js'

const contract = gateContract({
  name: 'requireSettingsSession',
  make: async ({ audit, onDenied, breakable }) => {
    let app: Express | undefined
    const running = await serve((request, response) => app?.(request, response))
    const settings = createSettingsSessions({
      baseUrl: `${running.url}/settings`,
      store: breakable(memorySessions()),
      audit,
    })
    app = express().use('/settings', settings.routes())

    /** The cookie of a session that a browser opened with a link of its own. */
    async function open(): Promise<string> {
      const browser = new TestBrowser(running.url)
      const link = await settings.issueLink({ platform: 'telegram', userId: 'u1' })
      let url = ''
      await settings.deliver(link, (sensitive) => {
        url = sensitive.reveal('deliver-to-user')
      })
      await browser.confirm(url)
      return browser.cookie
    }
    const cookie = (value: string): ContractRequest => ({ headers: { Cookie: value } })
    const nameOf = (header: string) => header.slice(0, header.indexOf('='))
    return {
      gate: requireSettingsSession({ settings, audit, onDenied }),
      good: async () => cookie(await open()),
      bad: {
        'a cookie that is not a token': {
          request: async () => cookie(`${nameOf(await open())}=x`),
          status: 401,
          reason: 'malformed',
        },
        'two cookies of the name': {
          request: async () => {
            const held = await open()
            return cookie(`${held}; ${held}`)
          },
          status: 401,
          reason: 'malformed',
        },
        'a session that was revoked': {
          request: async () => {
            const held = await open()
            await settings.revokeAll({ platform: 'telegram', userId: 'u1' })
            return cookie(held)
          },
          status: 401,
          reason: 'revoked',
        },
        'a form of another site': {
          request: async () => ({
            method: 'POST',
            headers: { Cookie: await open(), 'Sec-Fetch-Site': 'cross-site' },
          }),
          status: 403,
          reason: 'cross_site',
        },
      },
      foreign: {
        'another cookie': cookie('a=1'),
        'a bearer token': { headers: { Authorization: 'Bearer abc' } },
      },
      upgrade: { headers: { Origin: running.url } },
      close: () => running.close(),
    }
  },
})

describe('the gate of settings sessions keeps to the contract of gates', () => {
  test.each(contract)('$title', ({ run }) => run())
})
