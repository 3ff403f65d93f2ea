import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { call, loop, textOf, told } from './loop.mjs'

const client = new Client({ name: 'agent', version: '1.0.0' })
const { url, requestInit } = told.config
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
await loop(async () => textOf(await client.callTool(call)))
await client.close()
