import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  createMcpCredentials,
  discoveryGuard,
  requireMcpCredential,
  writeCredentialFile,
} from '@countersign/mcp-credential'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import express from 'express'
import { z } from 'zod'

const credentials = createMcpCredentials()
const gate = requireMcpCredential({ credentials, tools: { 'preview_*': 'preview', shell: 'shell' }, denyAs: 'jsonrpc' })

const mcp = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'app', version: '1.0.0' })
    server.registerTool(
      'preview_open',
      { description: 'Opens a preview of a page', inputSchema: z.object({ page: z.string() }) },
      async ({ page }, context) => ({
        content: [{ type: 'text', text: `${page} opened for ${context.http?.authInfo?.clientId}` }],
      }),
    )
    return server
  }),
)

const app = express()
app.use(discoveryGuard())
app.all('/mcp', gate, express.json(), (request, response) => mcp(request, response, request.body))

// Starts an agent for a thread: your users' sign-in stands before this. The agent's credential is in a file that only this user of
// the machine reads, and ends with the agent.
app.post('/threads/:id/agent', async (request, response) => {
  const threadId = request.params.id
  const issued = await credentials.issue({ threadId, providerInstanceId: 'agent-1', capabilities: ['preview'] })
  const folder = await mkdtemp(join(tmpdir(), 'agent-'))
  try {
    const file = join(folder, 'credential.json')
    await writeCredentialFile(file, issued)
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'agent.ts', file])
    response.type('text').send(stdout)
  } finally {
    await credentials.revokeThread(threadId)
    await rm(folder, { recursive: true })
  }
})
app.listen(3000).on('listening', () => console.log('app: http://localhost:3000'))
