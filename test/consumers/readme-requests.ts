import { type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import type { TestIssuer } from '../support/test-issuer.js'
import { SECRET } from './page-programs.js'
import { printedAuthorization, type Running, until } from './program.js'

const AUDIENCE = 'billing.example.com'

/** Sends a request that is to be let in, and one that is not. */
export type Ask = (running: Running, issuer: TestIssuer) => Promise<Record<'good' | 'bad', Response>>

const post = (url: string, headers: Record<string, string>, body?: string) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: body ?? null })

/** A signature over this body, and over another one. */
const signedTo =
  (path: string, version: number, format?: SignatureFormat): Ask =>
  async ({ url }) => {
    const body = '{"job":7}'
    const headers = () =>
      sign(
        { method: 'POST', url: path, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) },
        {
          caller: 'scheduler',
          version,
          secret: SECRET,
          audience: AUDIENCE,
          ...(format === undefined ? {} : { format }),
        },
      )
    return { good: await post(url + path, headers(), body), bad: await post(url + path, headers(), '{"job":8}') }
  }

const tool = (name: string, input = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } })
const bearerTo =
  (path: string, resource?: string): Ask =>
  async ({ url }, issuer) => {
    const authorization = async (aud: string) => ({
      authorization: `Bearer ${await issuer.token({ claims: { aud } })}`,
    })
    return {
      good: await post(url + path, await authorization(resource ?? url + path), tool('any')),
      bad: await post(url + path, await authorization('https://other.example.com'), tool('any')),
    }
  }

/** By page: how it is asked, what it answers to the good one, and to the bad one. */
export const asked: Record<string, readonly (readonly [Ask, RegExp, number])[]> = {
  'README.md': [
    [signedTo('/internal/executions', 1, xHeaders()), /"kind":"hmac".*"sent":\{"job":7\}/, 401],
    [bearerTo('/mcp', 'https://mcp.example.com/mcp'), /"kind":"oauth-bearer".*"method":"tools\/call"/, 401],
  ],
  'packages/audit/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/core/README.md': [
    [signedTo('/internal', 1), /"caller":"scheduler"/, 401],
    [bearerTo('/jobs', 'https://billing.example.com'), /"startedBy":".+"/, 401],
  ],
  'packages/hmac/README.md': [[signedTo('/internal/executions', 3), /"job":\{"job":7\}/, 401]],
  'packages/mcp-credential/README.md': [
    [
      async (running) => {
        const authorization = await printedAuthorization(running)
        const headers = { authorization, accept: 'application/json, text/event-stream' }
        return {
          good: await post(`${running.url}/mcp`, headers, tool('preview_open', { page: 'index.html' })),
          bad: await post(`${running.url}/mcp`, headers, tool('shell')),
        }
      },
      /index\.html opened for claude-1/,
      403,
    ],
  ],
  'packages/oauth-bearer/README.md': [[bearerTo('/mcp'), /"kind":"oauth-bearer"/, 401]],
  'packages/postgres/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/redis/README.md': [[signedTo('/internal', 1), /"startedBy":"scheduler"/, 401]],
  'packages/settings-session/README.md': [
    [
      async (running) => {
        const link = () => /^http:\S+$/m.exec(running.printed())?.[0]
        await until(running, () => link() !== undefined)
        const browser = new TestBrowser(running.url)
        await browser.confirm(link() as string)
        return {
          good: await browser.send('/settings/notifications'),
          bad: await fetch(`${running.url}/settings/notifications`),
        }
      },
      /"settingsOf":"slack:T1:U1"/,
      401,
    ],
  ],
}
