import { query } from '@anthropic-ai/claude-agent-sdk'
import { told } from './loop.mjs'

const options = {
  cwd: told.project,
  mcpServers: told.config.mcpServers,
  allowedTools: ['mcp__app__preview_open'],
  settingSources: [],
}
for await (const message of query({ prompt: 'Open the preview of index.html.', options })) {
  if (message.type === 'result') console.log(message.result)
  if (message.subtype === 'init') console.log(JSON.stringify(message.mcp_servers))
}
