import { type Body, INPUT, isCall, listOf, type Protocol, textIn } from './protocol.js'

/** Google's generateContent: Gemini CLI. */
export const gemini: Protocol = {
  path: /:(?:streamGenerateContent|generateContent)$/,
  streams: (path) => path.endsWith(':streamGenerateContent'),
  read({ contents, tools }) {
    const responses = listOf(contents)
      .flatMap(({ parts }) => listOf(parts))
      .flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse as Body]))
    return {
      tools: listOf(tools)
        .flatMap(({ functionDeclarations }) => listOf(functionDeclarations))
        .map(({ name }) => ({ name: String(name) })),
      results: responses.map(({ response }) => textIn(response)),
    }
  },
  write(action) {
    const part = isCall(action) ? { functionCall: { name: action.call.name, args: INPUT } } : { text: action.say }
    const json = {
      candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    }
    return { json, events: [[undefined, json]] }
  },
}
