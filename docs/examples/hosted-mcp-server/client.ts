// An MCP client that has nothing but the server's address, and credentials of its own: it finds the issuer by the 401.
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const authProvider = new ClientCredentialsProvider({
  clientId: 'reports',
  clientSecret: 'the-secret-of-this-client',
  expectedIssuer: 'http://localhost:4000',
})
const client = new Client({ name: 'client', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(new URL('http://localhost:3000/mcp'), { authProvider }))
const { content } = await client.callTool({ name: 'whoami', arguments: {} })
console.log(JSON.stringify(content))
await client.close()
