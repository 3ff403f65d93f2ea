import { isCall, listOf, type Protocol } from './protocol.js'

/** Ours, for clients without a model: they ask whether to call the tool once more, and tell what came of it. */
export const plain: Protocol = {
  path: /\/plain$/,
  streams: () => false,
  read: ({ results }) => ({ tools: [{ name: 'preview_open' }], results: listOf(results).map(String) }),
  write: (action) => ({ json: { call: isCall(action) } }),
}
