// mcp-remote stands between a client that speaks standard input and output alone, and the server.
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { call, loop, textOf, told } from './loop.mjs'

const client = new Client({ name: 'agent', version: '1.0.0' })
const { url, requestInit } = told.config
const args = [
  join(told.kit, 'node_modules/mcp-remote/dist/proxy.js'),
  url,
  '--header',
  `Authorization:\${AUTHORIZATION}`,
]
const env = { ...process.env, AUTHORIZATION: requestInit.headers.Authorization }
await client.connect(new StdioClientTransport({ command: process.execPath, args, env }))
await loop(async () => textOf(await client.callTool(call)))
await client.close()
