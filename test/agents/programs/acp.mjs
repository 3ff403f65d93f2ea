// A host that speaks the Agent Client Protocol: JSON-RPC, a message in each line.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { told } from './loop.mjs'

const agent = spawn(told.command, told.args, { cwd: told.cwd, stdio: ['pipe', 'pipe', 'inherit'] })
const waiting = new Map()
const send = (message) => agent.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

createInterface({ input: agent.stdout }).on('line', (line) => {
  const message = JSON.parse(line)
  if (message.method === 'session/request_permission') {
    const option = message.params.options.find(({ kind }) => kind === 'allow_once') ?? message.params.options[0]
    send({ id: message.id, result: { outcome: { outcome: 'selected', optionId: option.optionId } } })
  } else if (message.method !== undefined && message.id !== undefined) {
    send({ id: message.id, error: { code: -32601, message: 'not supported' } })
  } else if (message.id !== undefined) {
    waiting.get(message.id)(message)
  }
})

let ids = 0
async function ask(method, params) {
  ids += 1
  const answer = new Promise((resolve) => waiting.set(ids, resolve))
  send({ id: ids, method, params })
  const { result, error } = await answer
  if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
  return result
}

await ask('initialize', { protocolVersion: 1, clientCapabilities: {} })
const { sessionId } = await ask('session/new', { cwd: told.cwd, mcpServers: told.mcpServers })
await ask('session/prompt', { sessionId, prompt: [{ type: 'text', text: told.prompt }] })
agent.stdin.end()
agent.kill()
