import type { Audit, AuditEvent } from '@countersign/audit'
import { sign, xHeaders } from '@countersign/hmac'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Demo } from './app.js'
import type { AuthorizationServer } from './authorization-server.js'
import { Browser, openLink } from './browser.js'
import type { Row } from './table.js'

/** What the scripted run plays with. */
export interface ScenarioSetup {
  readonly baseUrl: string
  readonly demo: Demo
  readonly authorizationServer: AuthorizationServer
  readonly audit: Audit
}

/** Plays all four callers, and some who only pretend, with real requests. Returns a row for each. */
export async function runScenario({ baseUrl, demo, authorizationServer, audit }: ScenarioSetup): Promise<Row[]> {
  const rows: Row[] = []
  const events: AuditEvent[] = []
  const unsubscribe = audit.subscribe(function scenario(event) {
    if (event.type.startsWith('access.') || event.type === 'settings.link.refused') events.push(event)
  })

  /** Sends one request and notes what was expected, what came, and what the audit says of it. */
  async function expectStatus(request: string, status: number, reason: string, send: () => Promise<Response | number>) {
    events.length = 0
    const sent = await send()
    const got = typeof sent === 'number' ? sent : sent.status
    if (typeof sent !== 'number') await sent.arrayBuffer()
    const last = events.at(-1)
    const told = last === undefined ? 'no event' : (last.reason ?? 'granted')
    const isAsExpected = got === status && told === reason
    rows.push({ request, expected: `${status} ${reason}`, got: String(got), reason: told, isAsExpected })
  }

  // Another service.
  const body = JSON.stringify({ workflowId: 'wf1' })
  const signed = (path: string, method = 'POST', payload = body): Record<string, string> => {
    const { caller, secret, audience } = demo.scheduler
    const request = { method, url: `${baseUrl}${path}`, headers: {}, body: Buffer.from(payload) }
    return sign(request, { caller, secret, audience, format: xHeaders() })
  }
  const post = (path: string, headers: Record<string, string>, payload = body) =>
    fetch(`${baseUrl}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: payload,
    })
  const executions = signed('/internal/executions')
  await expectStatus('HMAC: a signed request', 200, 'granted', () => post('/internal/executions', executions))
  await expectStatus('HMAC: the same request again', 401, 'replayed', () => post('/internal/executions', executions))
  await expectStatus('HMAC: another body under a good signature', 401, 'bad_signature', () =>
    post('/internal/executions', signed('/internal/executions'), '{"workflowId":"wf2"}'),
  )
  await expectStatus('HMAC: OPTIONS without credentials on app.all', 401, 'missing', () =>
    fetch(`${baseUrl}/internal/schedules`, { method: 'OPTIONS' }),
  )

  // An OAuth client.
  const resource = `${baseUrl}/api`
  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
  const reader = await authorizationServer.accessToken(resource, 'files:read')
  const writer = await authorizationServer.accessToken(resource, 'files:read files:write')
  const elsewhere = await authorizationServer.accessToken('https://other.example.com/api', 'files:read')
  await expectStatus('OAuth: no token', 401, 'missing', () => fetch(`${baseUrl}/api/files`))
  await expectStatus('OAuth: a token for this resource', 200, 'granted', () =>
    fetch(`${baseUrl}/api/files`, bearer(reader)),
  )
  await expectStatus('OAuth: a token for another resource', 401, 'wrong_audience', () =>
    fetch(`${baseUrl}/api/files`, bearer(elsewhere)),
  )
  await expectStatus('OAuth: DELETE without the scope', 403, 'insufficient_scope', () =>
    fetch(`${baseUrl}/api/files/a.txt`, { method: 'DELETE', ...bearer(reader) }),
  )
  await expectStatus('OAuth: DELETE with the scope', 204, 'granted', () =>
    fetch(`${baseUrl}/api/files/a.txt`, { method: 'DELETE', ...bearer(writer) }),
  )
  authorizationServer.cutKeys(true)
  await expectStatus('OAuth: JWKS down, keys never seen', 503, 'keys', () =>
    fetch(`${baseUrl}/api/cold`, bearer(reader)),
  )
  const unseen = await authorizationServer.accessToken(resource, 'files:read')
  await expectStatus('OAuth: JWKS down, keys known', 200, 'granted', () =>
    fetch(`${baseUrl}/api/files`, bearer(unseen)),
  )
  authorizationServer.cutKeys(false)

  // An agent session that the app started.
  const issue = () =>
    demo.credentials.issue({ threadId: 'thread-1', providerInstanceId: 'claude-1', capabilities: ['preview'] })
  const agent = await issue()
  const callTool = (path: string, authorization: string) => callPreview(new URL(path, baseUrl), authorization)
  await expectStatus('MCP: an agent calls a tool', 200, 'granted', () =>
    callTool('/agent/mcp', agent.authorizationHeader),
  )
  await expectStatus("MCP: an agent's token on firstPresented(mcp, oauth)", 200, 'granted', () =>
    callTool('/mcp', agent.authorizationHeader),
  )
  await expectStatus('MCP: a token with one character changed', 401, 'malformed', () =>
    callTool('/agent/mcp', garble(agent.authorizationHeader)),
  )
  await demo.credentials.revokeThread('thread-1')
  await expectStatus('MCP: after the thread is revoked', 401, 'revoked', () =>
    callTool('/agent/mcp', agent.authorizationHeader),
  )

  // Two credentials on one route.
  await expectStatus('firstPresented(hmac, oauth): a good bearer', 200, 'granted', () =>
    fetch(`${baseUrl}/shared/status`, bearer(reader)),
  )
  await expectStatus('firstPresented(hmac, oauth): junk HMAC beside it', 400, 'ambiguous', () =>
    fetch(`${baseUrl}/shared/status`, {
      headers: { Authorization: `Bearer ${reader}`, 'X-Countersign-Signature': 'junk' },
    }),
  )

  // A person who got a link in a chat.
  await expectStatus('Settings: no link, no session', 401, 'missing', () => fetch(`${baseUrl}/settings`))
  const link = await demo.settings.issueLink({ platform: 'demo', userId: 'scripted' })
  let url = ''
  await demo.settings.deliver(link, (sensitive) => {
    url = sensitive.reveal('deliver-to-user')
  })
  await expectStatus('Settings: the link is opened and confirmed', 200, 'granted', () => openLink(url))
  await expectStatus('Settings: the same link once more', 401, 'spent', () => new Browser().confirm(url))

  unsubscribe()
  return rows
}

/** The HTTP status of a tool call by the MCP SDK's client: 200 when the tool answered. */
async function callPreview(url: URL, authorization: string): Promise<number> {
  let status = 0
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { Authorization: authorization } },
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      status = response.status
      return response
    },
  })
  const client = new Client({ name: 'demo-agent', version: '1.0.0' })
  try {
    await client.connect(transport)
    const result = await client.callTool({ name: 'preview_open', arguments: { page: 'index.html' } })
    return result.isError ? 0 : 200
  } catch {
    return status
  } finally {
    await client.close()
  }
}

/** The token with its last character changed. */
function garble(header: string): string {
  return `${header.slice(0, -1)}${header.endsWith('0') ? '1' : '0'}`
}
