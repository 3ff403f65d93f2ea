import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Client as ClientOld } from 'mcp-sdk-old/client/index.js'
import { StreamableHTTPClientTransport as TransportOld } from 'mcp-sdk-old/client/streamableHttp.js'
import { agree } from './oauth-person.js'

const REDIRECT = 'http://127.0.0.1:9/callback'

/** What a client says of itself when it registers, or in the document at its URL. */
export const CLIENT_METADATA = {
  client_name: 'a client of the tests',
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  application_type: 'native',
}

/** What a client keeps, and how often its user was sent to authorize. */
function clientStore(clientMetadataUrl: string | undefined) {
  const kept: { information?: object; tokens?: object; verifier?: string; discovery?: object } = {}
  const sent: URL[] = []
  return {
    sent,
    kept,
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    redirectUrl: REDIRECT,
    clientMetadata: CLIENT_METADATA,
    clientInformation: () => kept.information as { client_id: string } | undefined,
    saveClientInformation: (information: object) => {
      kept.information = information
    },
    tokens: () => kept.tokens as { access_token: string; token_type: string } | undefined,
    saveTokens: (tokens: object) => {
      kept.tokens = tokens
    },
    discoveryState: () => kept.discovery as undefined,
    saveDiscoveryState: (discovery: object) => {
      kept.discovery = discovery
    },
    redirectToAuthorization: (url: URL) => void sent.push(url),
    saveCodeVerifier: (verifier: string) => {
      kept.verifier = verifier
    },
    codeVerifier: () => kept.verifier ?? '',
  }
}

type Store = ReturnType<typeof clientStore>

/** A user's MCP client and what it remembers between its connections. */
export interface McpSession {
  readonly store: Store
  connect(): Promise<void>
  call(name: string): Promise<string>
  /** Lets the person agree to what the client asked last, and hands the code to the client. */
  authorize(): Promise<void>
  close(): Promise<void>
}

interface Connection {
  connect(): Promise<void>
  call(name: string): Promise<unknown>
  finish(parameters: URLSearchParams): Promise<void>
  close(): Promise<void>
}

const SELF = { name: 'a client of the tests', version: '1.0.0' }
const codeOf = (parameters: URLSearchParams) => parameters.get('code') ?? ''

/** The MCP SDK's clients: the last one that sends its own spelling of a resource, and the current ones. */
export const MCP_CLIENTS: Readonly<Record<string, (url: URL, authProvider: Store) => Connection>> = {
  'v1 before 1.30.1': (url, authProvider) => {
    const [client, transport] = [new ClientOld(SELF), new TransportOld(url, { authProvider })]
    return {
      // Its types were not made for exactOptionalPropertyTypes.
      connect: () => client.connect(transport as Parameters<ClientOld['connect']>[0]),
      call: (name) => client.callTool({ name, arguments: {} }),
      finish: (parameters) => transport.finishAuth(codeOf(parameters)),
      close: () => client.close(),
    }
  },
  v1: (url, authProvider) => {
    const [client, transport] = [new ClientV1(SELF), new TransportV1(url, { authProvider })]
    return {
      connect: () => client.connect(transport),
      call: (name) => client.callTool({ name, arguments: {} }),
      finish: (parameters) => transport.finishAuth(codeOf(parameters)),
      close: () => client.close(),
    }
  },
  v2: (url, authProvider) => {
    const [client, transport] = [new ClientV2(SELF), new TransportV2(url, { authProvider })]
    return {
      connect: () => client.connect(transport),
      call: (name) => client.callTool({ name, arguments: {} }),
      finish: (parameters) => transport.finishAuth(parameters),
      close: () => client.close(),
    }
  },
}

/**
 * One of {@link MCP_CLIENTS}, for the server at this URL. With a `clientMetadataUrl` it does not register. `more`: what else the
 * client's provider has.
 */
export function mcpSession(name: string, serverUrl: string, clientMetadataUrl?: string, more: object = {}): McpSession {
  const store = Object.assign(clientStore(clientMetadataUrl), more)
  const make = () => (MCP_CLIENTS[name] as (typeof MCP_CLIENTS)[string])(new URL(serverUrl), store)
  let connection = make()
  return {
    store,
    connect: () => {
      connection = make()
      return connection.connect()
    },
    call: async (tool) => ((await connection.call(tool)) as { content: { text: string }[] }).content[0]?.text ?? '',
    authorize: async () => connection.finish(await agree(store.sent.at(-1) as URL, REDIRECT)),
    close: () => connection.close(),
  }
}
