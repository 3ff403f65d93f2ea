import { memorySecrets, type RequireHmacOptions, requireHmac, sign } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { recordAudit, testIssuer } from '@countersign/testing'
import type express from 'express'
import { TestBrowser } from '../../../packages/settings-session/test/browser.js'
import type { Carrier, CarrierKind, Parcel } from '../../support/carriers.js'
import { serve } from '../../support/http-server.js'

/** What became of one request: its status, and the reason of a refusal. */
export type Outcome = string

/** What one gate makes of a good request, of one that was tampered with, of two credentials, and of none. */
export interface Cell {
  readonly good: Outcome
  readonly bad: Outcome
  readonly doubled: Outcome
  readonly missing: Outcome
}

/** By gate. */
export type Cells = Readonly<Record<'hmac' | 'oauth' | 'mcp' | 'settings', Cell>>

const AUDIENCE = 'app.example.com'
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const JSON_TYPE = { 'content-type': 'application/json' }

/** Asks the four gates, each on a path of its own, under what carries the requests. */
export async function askGates(
  { start }: CarrierKind,
  of: typeof express,
  body: RequireHmacOptions['body'] = 'buffer',
): Promise<Cells> {
  const { audit, events } = recordAudit()
  const issuer = await testIssuer({ algorithm: 'ES256' })
  const credentials = createMcpCredentials({ audit })
  const pages = of()
  const running = await serve(pages)
  const settings = createSettingsSessions({ baseUrl: `${running.url}/settings`, audit })
  pages.use('/settings', settings.routes())
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  const carrier = await start((own) => {
    const router = own.Router()
    router.use('/hmac', requireHmac({ secrets, audience: AUDIENCE, body, audit }))
    router.use('/oauth', requireOAuthBearer({ resource: issuer.resource, issuer: issuer.url, audit }))
    router.use('/mcp', requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, audit }))
    router.use('/settings', requireSettingsSession({ settings, audit }))
    // What a handler finds of the body is part of a good answer: the gate must have left it.
    router.use(own.json(), (request, response) => {
      response.json({ kind: request.principal?.kind, body: request.body ?? null })
    })
    return router
  })

  const text = (name: string) =>
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }))
  const good = text('preview_open')
  const signer = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE }
  const signed = (): Parcel['headers'] => ({
    ...JSON_TYPE,
    ...sign({ method: 'POST', url: '/hmac', headers: JSON_TYPE, body: good }, signer),
  })
  const signedTwice = (): Parcel['headers'] => {
    const fields = sign({ method: 'GET', url: '/hmac', headers: {} }, signer)
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value, value]]))
  }
  const token = await issuer.token()
  const { authorizationHeader } = await credentials.issue({
    threadId: 't1',
    providerInstanceId: 'p1',
    capabilities: ['preview'],
  })
  const cookie = await openSettings(settings, running.url)
  const forged = `${token.slice(0, -8)}${token.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA'}`
  const own = { ...JSON_TYPE, cookie, 'sec-fetch-site': 'same-origin' }

  const ask = async (
    parcel: Partial<Parcel> & Pick<Parcel, 'path' | 'headers'>,
    send: (parcel: Parcel) => Promise<unknown> = carrier.send,
  ) => {
    const before = events.length
    const received = (await send({ method: 'POST', ...parcel })) as { status: number; text: string } | undefined
    const event = events.slice(before).findLast(({ type }) => type.startsWith('access.'))
    const status = event?.http?.status ?? received?.status
    if (event?.outcome !== 'success') return `${status} \`${event?.reason}\``
    if (received?.text.includes('preview_open') !== (parcel.body !== undefined))
      return 'the handler did not get the body'
    return `${received?.status}`
  }
  const lines = (carrier.sendLines ?? carrier.send) as Carrier['send']
  const doubled = (path: string, headers: Parcel['headers']) => ask({ method: 'GET', path, headers }, lines)
  const bearer = (value: string) => ({ ...JSON_TYPE, authorization: `Bearer ${value}` })
  const other = 'Bearer another'

  try {
    return {
      hmac: {
        good: await ask({ path: '/hmac', headers: signed(), body: good }),
        bad: await ask({ path: '/hmac', headers: signed(), body: text('shell') }),
        doubled: await doubled('/hmac', signedTwice()),
        missing: await ask({ path: '/hmac', headers: {} }),
      },
      oauth: {
        good: await ask({ path: '/oauth', headers: bearer(token), body: good }),
        bad: await ask({ path: '/oauth', headers: bearer(forged), body: good }),
        doubled: await doubled('/oauth', { authorization: [other, `Bearer ${token}`] }),
        missing: await ask({ path: '/oauth', headers: {} }),
      },
      mcp: {
        good: await ask({ path: '/mcp', headers: { ...JSON_TYPE, authorization: authorizationHeader }, body: good }),
        bad: await ask({
          path: '/mcp',
          headers: { ...JSON_TYPE, authorization: authorizationHeader },
          body: text('shell'),
        }),
        doubled: await doubled('/mcp', { authorization: [other, authorizationHeader] }),
        missing: await ask({ path: '/mcp', headers: {} }),
      },
      settings: {
        good: await ask({ path: '/settings', headers: own, body: good }),
        bad: await ask({ path: '/settings', headers: { ...own, cookie: `${cookie.slice(0, -4)}AAAA` }, body: good }),
        doubled: await doubled('/settings', { cookie: `${cookie}; ${cookie}` }),
        missing: await ask({ path: '/settings', headers: {} }),
      },
    }
  } finally {
    await carrier.close()
    await running.close()
    await issuer.stop()
    credentials.close()
  }
}

/** The cookies of a person who has opened a link. */
async function openSettings(settings: ReturnType<typeof createSettingsSessions>, origin: string): Promise<string> {
  const browser = new TestBrowser(origin)
  let url = ''
  await settings.deliver(await settings.issueLink({ platform: 'telegram', userId: 'u1' }), (sensitive) => {
    url = sensitive.reveal('deliver-to-user')
  })
  await browser.confirm(url)
  return browser.cookie
}
