import { randomUUID } from 'node:crypto'
import { isReached, type Sent } from './exchange.js'
import { type Played, type Row, row, type Side } from './row.js'
import type { World } from './world.js'

/** An agent that may open previews; both apps know its token. */
interface Agent {
  readonly baseUrl: string
  readonly threadId: string
  readonly credentialId: string
  readonly token: string
}

async function agent({ baseUrl, demo, usualApp }: World): Promise<Agent> {
  const threadId = `thread-${randomUUID().slice(0, 8)}`
  const subject = { threadId, providerInstanceId: 'claude-1', capabilities: ['preview'] }
  const { credentialId, authorizationHeader } = await demo.credentials.issue(subject)
  const token = authorizationHeader.slice('Bearer '.length)
  usualApp.issue(threadId, token)
  return { baseUrl, threadId, credentialId, token }
}

/** What an MCP client sends to call a tool. */
function toolCall(token: string | undefined, tool = 'preview_open'): Sent {
  const authorization: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  const headers = {
    ...authorization,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': '2025-06-18',
  }
  const params = { name: tool, arguments: { page: 'index.html' } }
  return { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }) }
}

const callTool = ({ send }: Side, { baseUrl, token }: Agent, tool?: string) =>
  send(`${baseUrl}/agent/mcp`, toolCall(token, tool))

/** The token with its last character changed. */
const mistyped = (token: string) => `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`

/** What a configuration says where no variable of this name is set. */
const UNSET = '$'.concat('{APP_TOKEN}')

const MOST_MESSAGES = 15
const BETWEEN_MS = 20

/** Listens to a stream whose thread is revoked, until it ends or has brought many a message since. */
async function listen(side: Side, { baseUrl, threadId, credentialId, token }: Agent): Promise<Played> {
  const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' }
  const response = await side.send(`${baseUrl}/agent/events`, { headers })
  const reader = response.body?.getReader()
  if (!isReached(response) || reader === undefined) return { response }
  await reader.read()
  await side.revokeThread(threadId)
  let messages = 0
  const talk = setInterval(() => side.say('the next step of the plan'), BETWEEN_MS)
  try {
    while (messages < MOST_MESSAGES && !(await reader.read()).done) messages += 1
  } catch {
    // Cut off in the middle, as a connection that is destroyed.
  } finally {
    clearInterval(talk)
  }
  if (messages < MOST_MESSAGES) return { response, credentialId, outcome: 'cut off' }
  await reader.cancel()
  return { response }
}

/** An agent session: `requireMcpCredential` beside passport-http-bearer over a table of tokens. */
export const agentRows: readonly Row[] = [
  row({
    id: 'agent-valid',
    kind: 'valid',
    title: 'An agent calls its tool',
    story: 'MCP tools/call of preview_open, with the token that the app gave it.',
    ours: {
      outcome: 'let in',
      status: 200,
      reason: 'granted',
      why: 'The credential is live, and has this capability.',
    },
    usual: { outcome: 'let in', status: 200, why: 'The token is in the table.' },
    prepare: agent,
    play: (side, it) => callTool(side, it),
  }),
  row({
    id: 'agent-tool',
    kind: 'attack',
    title: 'Another tool',
    story: 'A prompt injection makes the agent call page_delete. It was given previews.',
    ours: {
      outcome: 'refused',
      status: 403,
      reason: 'insufficient_scope',
      why: 'The gate reads which tool is called. The model is told to go without it.',
    },
    usual: { outcome: 'let in', status: 200, why: 'It knows who calls, not what: the page is deleted.' },
    prepare: agent,
    play: (side, it) => callTool(side, it, 'page_delete'),
  }),
  row({
    id: 'agent-revoked',
    kind: 'attack',
    title: 'Revoked agent',
    story: 'The thread was ended, and its agent calls again.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'revoked',
      why: 'The holder is proven, so the model is told that the session has ended, and to stop.',
    },
    usual: {
      outcome: 'refused',
      status: 401,
      why: 'The app took the token from the table. The model is told nothing.',
    },
    prepare: agent,
    play: async (side, it) => {
      await side.revokeThread(it.threadId)
      return callTool(side, it)
    },
  }),
  row({
    id: 'agent-stream',
    kind: 'attack',
    title: 'Revoked, still listening',
    story: 'The agent has a stream open when its thread is ended.',
    ours: {
      outcome: 'cut off',
      status: 200,
      reason: 'connection.ended',
      why: 'A revocation ends what the credential has open.',
    },
    usual: { outcome: 'let in', status: 200, why: 'A token is checked when a request begins: the stream stays open.' },
    prepare: agent,
    play: listen,
  }),
  row({
    id: 'agent-query',
    kind: 'attack',
    title: 'A token in the URL',
    story: 'POST /agent/mcp?access_token=…, as logs and proxies keep it.',
    ours: { outcome: 'refused', status: 401, reason: 'missing', why: 'A credential is read from Authorization alone.' },
    usual: {
      outcome: 'let in',
      status: 200,
      why: 'It also reads the query and the body: who has the URL has the token.',
    },
    prepare: agent,
    play: ({ send }, { baseUrl, token }) => send(`${baseUrl}/agent/mcp?access_token=${token}`, toolCall(undefined)),
  }),
  row({
    id: 'agent-placeholder',
    kind: 'attack',
    title: 'Variable not set',
    story: `The agent’s configuration says ${UNSET}, and nobody set it.`,
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'placeholder',
      why: 'The answer says that a variable was not set: minutes instead of an afternoon.',
    },
    usual: { outcome: 'refused', status: 401, why: 'It is a wrong token like any other.' },
    prepare: agent,
    play: (side, it) => callTool(side, { ...it, token: UNSET }),
  }),
  row({
    id: 'agent-mistyped',
    kind: 'attack',
    title: 'Mistyped token',
    story: 'One character of the token is another one.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'malformed',
      why: 'A checksum in the token tells, and no store is asked.',
    },
    usual: { outcome: 'refused', status: 401, why: 'The token is not in the table.' },
    prepare: agent,
    play: (side, it) => callTool(side, { ...it, token: mistyped(it.token) }),
  }),
]
