import { type Body, INPUT, isCall, listOf, type Protocol, textIn } from './protocol.js'

/** OpenAI's Chat Completions: opencode, Qwen Code and the AI SDK. */
export const openaiChat: Protocol = {
  path: /\/chat\/completions$/,
  streams: (_path, body) => body.stream === true,
  read({ messages, tools }) {
    const results = listOf(messages).filter(({ role }) => role === 'tool')
    return {
      tools: listOf(tools).map((tool) => ({ name: String((tool.function as Body).name) })),
      results: results.map(({ content }) => textIn(content)),
    }
  },
  write(action, step) {
    const finish_reason = isCall(action) ? 'tool_calls' : 'stop'
    const call = (name: string) => ({ name, arguments: JSON.stringify(INPUT) })
    const said = isCall(action)
      ? { tool_calls: [{ index: 0, id: `call_${step}`, type: 'function', function: call(action.call.name) }] }
      : { content: action.say }
    const base = { id: `chat_${step}`, created: 1, model: 'scripted' }
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
    const chunk = (delta: unknown, reason: string | null) => ({
      ...base,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: reason }],
    })
    return {
      json: {
        ...base,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: null, ...said }, finish_reason }],
        usage,
      },
      events: [
        [undefined, chunk({ role: 'assistant', ...said }, null)],
        [undefined, { ...chunk({}, finish_reason), usage }],
        [undefined, '[DONE]'],
      ],
    }
  },
}
