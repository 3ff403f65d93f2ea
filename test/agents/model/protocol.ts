/** What a model is told: the tools that it may call, and what its calls of ours have brought so far. */
export interface Conversation {
  readonly tools: readonly Tool[]
  readonly results: readonly string[]
}

/** A tool as the agent offers it. */
export interface Tool {
  readonly name: string
  /** Codex groups the tools of a server. */
  readonly namespace?: string | undefined
}

/** What the model does next. */
export type Action = { readonly call: Tool } | { readonly say: string }

/** An answer of a provider's API: one JSON document, or the events of a stream. */
export interface Reply {
  readonly json: unknown
  /** Undefined when the API has no stream. */
  readonly events?: readonly (readonly [event: string | undefined, data: unknown])[]
}

/** A provider's API, as far as an agent needs it to call one tool. */
export interface Protocol {
  readonly path: RegExp
  /** Whether this request wants a stream. */
  streams(path: string, body: Body): boolean
  read(body: Body): Conversation
  write(action: Action, step: number): Reply
}

export type Body = Readonly<Record<string, unknown>>

/** The input of every call. */
export const INPUT = { page: 'index.html' }

export const isCall = (action: Action): action is { readonly call: Tool } => 'call' in action

export function listOf(value: unknown): Body[] {
  return Array.isArray(value) ? (value as Body[]) : []
}

/** The text in a result, whatever it is wrapped in. */
export function textIn(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textIn).join('\n')
  if (value === null || typeof value !== 'object') return String(value ?? '')
  const { text, content, output, error } = value as Body
  const inner = text ?? content ?? output ?? error
  return inner === undefined ? JSON.stringify(value) : textIn(inner)
}
