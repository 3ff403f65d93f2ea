import { createMCPClient } from '@ai-sdk/mcp'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, stepCountIs } from 'ai'
import { told } from './loop.mjs'

const { url, requestInit } = told.config
const client = await createMCPClient({ transport: { type: 'http', url, headers: requestInit.headers } })
const provider = createOpenAICompatible({ name: 'scripted', baseURL: `${told.model}/v1`, apiKey: 'none' })
const { text } = await generateText({
  model: provider('scripted'),
  tools: await client.tools(),
  stopWhen: stepCountIs(20),
  prompt: 'Open the preview of index.html.',
})
console.log(text)
await client.close()
