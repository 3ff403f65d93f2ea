import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import { type Audit, firstPresented, type Gate, type OnDenied } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { recordAudit } from '../support/audit-recorder.js'
import { type RunningServer, serve } from '../support/http-server.js'
import { type CaughtWarning, catchWarnings, pageOf } from '../support/warnings.js'

/** In every credential of a request. Short parts of it are in no word of ours. */
const PLANTED = 'Zq7PLANTEDxW'
const LONG = `${PLANTED}${'kV3'.repeat(10)}`

let running: RunningServer | undefined
let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(async () => {
  stop()
  await running?.close()
})

let rows = 0

/** What a careless app does: it throws with all that the request brought in the message. */
const careless: OnDenied = (_denial, { headers, url, body, rawHeaders }) => {
  const brought = inspect({ headers, url, body, rawHeaders }, { depth: 5, breakLength: Number.POSITIVE_INFINITY })
  // A warning's text is cut, so each part of it gets to be its beginning.
  const at = Math.max(0, brought.indexOf('PLANTED') - 100)
  // By another name for each row, so that each is told.
  throw Object.assign(new TypeError(`no page for ${brought.slice(at)}`), { name: `TypeError${rows}` })
}

/** One gate of each kind, with what all of them have. */
function gates(
  common: { onDenied?: OnDenied; audit?: Audit } = { onDenied: careless },
): Readonly<Record<string, Gate>> {
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: LONG.repeat(2) }])
  const legacy = { headers: ['x-key'], keys: { scheduler: [`${LONG}-key`] } }
  const settings = createSettingsSessions({ baseUrl: 'http://localhost/settings' })
  const hmac = requireHmac({ secrets, audience: 'a.example.com', ...common })
  const credentials = createMcpCredentials()
  return {
    hmac,
    'hmac-x': requireHmac({
      secrets,
      audience: 'a.example.com',
      formats: [xHeaders()],
      legacy,
      enforce: true,
      ...common,
    }),
    oauth: requireOAuthBearer({
      resource: 'https://a.example.com',
      issuer: 'https://i.example.com',
      ...common,
    }),
    mcp: requireMcpCredential({ credentials, tools: { a: 'a' }, ...common }),
    settings: requireSettingsSession({ settings, ...common }),
    first: firstPresented(
      requireHmac({ secrets, audience: 'a.example.com', ...common }),
      requireMcpCredential({ credentials, ...common }),
    ),
  }
}

const jwt = (payload: object) => {
  const text = [{ alg: 'HS256', typ: 'at+jwt' }, payload].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return `${text.join('.')}.${createHmac('sha256', LONG).update(text.join('.')).digest('base64url')}`
}
const signatureInput = `sig1=("@method" "@path" "@query");created=1;keyid="scheduler/1";nonce="${LONG}";tag="countersign"`

/** Where a credential can stand, for each gate: header fields, or a query. */
const POSITIONS: readonly [string, string, Record<string, string>, string?, string?][] = [
  [
    'hmac',
    'signature',
    { signature: `sig1=:${Buffer.from(LONG).toString('base64')}:`, 'signature-input': signatureInput },
  ],
  ['hmac', 'signature-input', { signature: `sig1=:${LONG}:`, 'signature-input': signatureInput }],
  ['hmac-x', 'x-signature', { 'x-signature': LONG, 'x-timestamp': '1', 'x-caller': 'scheduler' }],
  ['hmac-x', 'x-key', { 'x-key': `${LONG}-key` }],
  ['oauth', 'authorization', { authorization: `Bearer ${LONG}` }],
  ['oauth', 'another scheme', { authorization: `DPoP ${LONG}` }],
  ['oauth', 'a JWT', { authorization: `Bearer ${jwt({ iss: 'https://i.example.com', sub: PLANTED })}` }],
  ['oauth', 'the query', {}, `/?access_token=${LONG}`],
  ['mcp', 'authorization', { authorization: `Bearer mcps_${LONG}` }],
  ['mcp', 'a short one', { authorization: `Bearer mcps_${PLANTED}` }],
  ['settings', 'the cookie', { cookie: `__Host-countersign-settings=${LONG}` }],
  ['settings', 'a cookie and a CSRF token', { cookie: `__Host-countersign-settings=${PLANTED}`, 'x-csrf-token': LONG }],
  ['settings', 'the query', {}, `/?s=l1.${LONG}`],
  ['settings', 'a form', { 'content-type': 'application/x-www-form-urlencoded' }, '/', `token=${LONG}&code=${PLANTED}`],
  ['first', 'authorization', { authorization: `Bearer mcps_${LONG}` }],
]

test.each(POSITIONS)(
  '[core-no-secret-repeated] %s: no warning holds a credential that stands in %s, whatever the app throws',
  async (...row) => {
    rows += 1
    const [name, _where, headers, path = '/', body] = row
    const app: Express = express()
    if (name === 'settings') app.use(express.urlencoded())
    app.all('/', gates()[name] as Gate, (_request, response) => void response.end())
    running = await serve(app)
    for (let round = 0; round < 3; round += 1) {
      const init = body === undefined ? { headers } : { headers, method: 'POST', body }
      expect((await fetch(`${running.url}${path}`, init)).status).toBe(500)
    }
    const told = warnings.filter(({ code }) => code === 'COUNTERSIGN_INTERNAL_ERROR')
    expect(told).toHaveLength(1)
    expect(told[0]?.message).toContain('no page for ')
    for (const warning of warnings) {
      const text = JSON.stringify(warning)
      for (let at = 0; at + 8 <= LONG.length; at += 1) expect(text).not.toContain(LONG.slice(at, at + 8))
      for (const value of Object.values(headers).filter(({ length }) => length > 8)) expect(text).not.toContain(value)
      expect(pageOf(warning)).toBe(`https://countersign.example/errors/${warning.code}`)
    }
  },
)

test.each(POSITIONS)(
  '[core-no-secret-repeated] %s: no answer and no event repeats a credential that stands in %s',
  async (...row) => {
    const [name, _where, headers, path = '/', body] = row
    const { audit, events } = recordAudit()
    const app: Express = express()
    if (name === 'settings') app.use(express.urlencoded())
    app.all('/', gates({ audit })[name] as Gate, (_request, response) => void response.end('in'))
    running = await serve(app)
    const response = await fetch(
      `${running.url}${path}`,
      body === undefined ? { headers } : { headers, method: 'POST', body },
    )
    expect([400, 401, 403, 503]).toContain(response.status)
    expect(events.length).toBeGreaterThan(0)
    const said = `${await response.text()}\n${JSON.stringify([[...response.headers], events])}`
    for (let at = PLANTED.length; at + 8 <= LONG.length; at += 1) expect(said).not.toContain(LONG.slice(at, at + 8))
    for (const value of Object.values(headers).filter(({ length }) => length > 8)) expect(said).not.toContain(value)
    // What a token names is in its event, and is no secret.
    if (_where !== 'a JWT') expect(said).not.toContain(PLANTED)
  },
)
