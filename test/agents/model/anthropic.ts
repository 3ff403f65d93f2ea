import { INPUT, isCall, listOf, type Protocol, textIn } from './protocol.js'

/** Anthropic's Messages: Claude Code and the Agent SDK. */
export const anthropic: Protocol = {
  path: /\/v1\/messages$/,
  streams: (_path, body) => body.stream === true,
  read({ messages, tools }) {
    const results = listOf(messages)
      .flatMap(({ content }) => listOf(content))
      .filter(({ type }) => type === 'tool_result')
    return {
      tools: listOf(tools).map(({ name }) => ({ name: String(name) })),
      results: results.map(({ content }) => textIn(content)),
    }
  },
  write(action, step) {
    const block = isCall(action)
      ? { type: 'tool_use', id: `toolu_${step}`, name: action.call.name, input: {} }
      : { type: 'text', text: '' }
    const delta = isCall(action)
      ? { type: 'input_json_delta', partial_json: JSON.stringify(INPUT) }
      : { type: 'text_delta', text: action.say }
    const usage = { input_tokens: 1, output_tokens: 1 }
    const stop_reason = isCall(action) ? 'tool_use' : 'end_turn'
    const message = {
      id: `msg_${step}`,
      type: 'message',
      role: 'assistant',
      model: 'scripted',
      stop_sequence: null,
      usage,
    }
    const whole = isCall(action) ? { ...block, input: INPUT } : { type: 'text', text: action.say }
    return {
      json: { ...message, content: [whole], stop_reason },
      events: [
        ['message_start', { type: 'message_start', message: { ...message, content: [], stop_reason: null } }],
        ['content_block_start', { type: 'content_block_start', index: 0, content_block: block }],
        ['content_block_delta', { type: 'content_block_delta', index: 0, delta }],
        ['content_block_stop', { type: 'content_block_stop', index: 0 }],
        ['message_delta', { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage }],
        ['message_stop', { type: 'message_stop' }],
      ],
    }
  },
}
