import type { IncomingMessage, ServerResponse } from 'node:http'
import { serve } from '../../support/http-server.js'
import { anthropic } from './anthropic.js'
import { gemini } from './gemini.js'
import { openaiChat } from './openai-chat.js'
import { openaiResponses } from './openai-responses.js'
import { plain } from './plain.js'
import type { Action, Body, Conversation, Protocol, Reply } from './protocol.js'

const protocols: readonly Protocol[] = [anthropic, openaiResponses, openaiChat, gemini, plain]

/** A model that does what the script says, behind every API that the agents speak. */
export interface ScriptedModel {
  readonly url: string
  /** What is asked from now on is decided by this. */
  script: (conversation: Conversation) => Promise<Action>
  close(): Promise<void>
}

export async function startModel(): Promise<ScriptedModel> {
  let script: ScriptedModel['script'] = async () => ({ say: 'nothing to do' })
  let steps = 0
  const running = await serve((request, response) => {
    void answer(request, response).catch((error: Error) => response.destroy(error))
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://model')
    const body = await bodyOf(request)
    const protocol = protocols.find(({ path }) => path.test(pathname))
    if (protocol === undefined || request.method !== 'POST') {
      // Telemetry, updates, lists of models: none of it is needed.
      response.writeHead(404, { 'Content-Type': 'application/json' }).end('{}')
      return
    }
    const action = await script(protocol.read(body))
    steps += 1
    send(response, protocol.write(action, steps), protocol.streams(pathname, body))
  }

  return {
    url: running.url,
    close: running.close,
    get script() {
      return script
    },
    set script(next) {
      script = next
    },
  }
}

function send(response: ServerResponse, { json, events }: Reply, streams: boolean): void {
  if (!streams || events === undefined) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(json))
    return
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const [event, data] of events) {
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`)
  }
  response.end()
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body
  } catch {
    return {}
  }
}
