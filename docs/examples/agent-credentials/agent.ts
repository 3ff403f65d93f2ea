// An agent: it knows the file of its credential and the app's address.
import { readCredentialFile } from '@countersign/mcp-credential'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const headers = await readCredentialFile(process.argv[2] ?? '')
const client = new Client({ name: 'agent', version: '1.0.0' })
const url = new URL('http://localhost:3000/mcp')
await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))

for (const name of ['preview_open', 'shell']) {
  const answer = await client
    .callTool({ name, arguments: { page: 'index.html' } })
    .catch((error: Error) => error.message)
  console.log(name, JSON.stringify(answer))
}
await client.close()
