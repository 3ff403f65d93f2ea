// An MCP client as a script of a page. The test bundles it and drives it through `window.mcp`.
import { Client, type OAuthDiscoveryState, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const REDIRECT = 'http://127.0.0.1:9/callback'
// It is registered: this authorization server does not let scripts register.
const information = { client_id: 'page' }
const kept: { tokens?: object; verifier?: string; discovery?: OAuthDiscoveryState } = {}
const sent: string[] = []
const authProvider = {
  redirectUrl: REDIRECT,
  clientMetadata: {
    client_name: 'a page of the tests',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  clientInformation: () => information,
  tokens: () => kept.tokens as { access_token: string; token_type: string } | undefined,
  saveTokens: (tokens: object) => void Object.assign(kept, { tokens }),
  discoveryState: () => kept.discovery,
  saveDiscoveryState: (discovery: OAuthDiscoveryState) => void Object.assign(kept, { discovery }),
  redirectToAuthorization: (url: URL) => void sent.push(url.href),
  saveCodeVerifier: (verifier: string) => void Object.assign(kept, { verifier }),
  codeVerifier: () => kept.verifier ?? '',
}

let transport: StreamableHTTPClientTransport | undefined
let client: Client | undefined

/** What the test calls. Failures come back as text: an error does not survive the way to the test. */
export interface McpPage {
  connect(url: string): Promise<string>
  call(name: string): Promise<string>
  finish(query: string): Promise<string>
  /** Where the user was sent. */
  readonly sent: readonly string[]
}

async function told(work: () => Promise<unknown>): Promise<string> {
  try {
    return String(await work())
  } catch (error) {
    return `failed: ${String(error)}`
  }
}

const page: McpPage = {
  sent,
  connect: (url) =>
    told(async () => {
      transport = new StreamableHTTPClientTransport(new URL(url), { authProvider })
      client = new Client({ name: 'page', version: '1.0.0' })
      await client.connect(transport)
      return 'connected'
    }),
  call: (name) =>
    told(async () => {
      const result = await client?.callTool({ name, arguments: {} })
      return (result as { content: { text: string }[] }).content[0]?.text
    }),
  finish: (query) =>
    told(async () => {
      await transport?.finishAuth(new URLSearchParams(query))
      return 'finished'
    }),
}
Object.assign(window, { mcp: page })
