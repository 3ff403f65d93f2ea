import { INPUT, isCall, listOf, type Protocol, textIn } from './protocol.js'

/** OpenAI's Responses: Codex. */
export const openaiResponses: Protocol = {
  path: /\/v1\/responses$/,
  streams: () => true,
  read({ input, tools }) {
    const outputs = listOf(input).filter(({ type }) => type === 'function_call_output')
    return {
      tools: listOf(tools).flatMap(({ type, name, tools: inner }) =>
        type === 'namespace'
          ? listOf(inner).map((tool) => ({ name: String(tool.name), namespace: String(name) }))
          : [{ name: String(name) }],
      ),
      results: outputs.map(({ output }) => textIn(output)),
    }
  },
  write(action, step) {
    const id = `resp_${step}`
    const item = isCall(action)
      ? {
          type: 'function_call',
          id: `fc_${step}`,
          call_id: `call_${step}`,
          ...action.call,
          arguments: JSON.stringify(INPUT),
        }
      : { type: 'message', id: `msg_${step}`, role: 'assistant', content: [{ type: 'output_text', text: action.say }] }
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
    const response = { id, object: 'response', status: 'completed', output: [item], usage }
    return {
      json: response,
      events: [
        ['response.created', { type: 'response.created', response: { id } }],
        ['response.output_item.added', { type: 'response.output_item.added', output_index: 0, item }],
        ['response.output_item.done', { type: 'response.output_item.done', output_index: 0, item }],
        ['response.completed', { type: 'response.completed', response }],
      ],
    }
  },
}
