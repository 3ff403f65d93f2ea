import { usageError } from '../errors.js'

/** The answer of a server, as `curl -i` or `countersign hmac curl -i` print it. */
export interface HttpRefusal {
  readonly kind: 'http'
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

/** The audit event of a server: one line of JSON. */
export interface AuditRefusal {
  readonly kind: 'audit'
  readonly type: string
  readonly reason: string | undefined
  readonly caller: string | undefined
  readonly method: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

/** What is known of a refused request. */
export type Refusal = HttpRefusal | AuditRefusal

/** @throws {CommandError} when the text is neither an answer nor an event. */
export function parseRefusal(text: string): Refusal {
  const trimmed = text.trim()
  const refusal = trimmed.startsWith('{') ? parseEvent(trimmed) : parseHttp(trimmed)
  if (refusal !== undefined) return refusal
  throw usageError(
    '--refusal must be an HTTP answer with its header fields, as "curl -i" prints it, or the audit event of the ' +
      'refusal, one line of JSON',
  )
}

function parseHttp(text: string): HttpRefusal | undefined {
  const lines = text.split(/\r?\n/)
  const status = /^HTTP\/[\d.]+ (\d{3})(?: |$)/.exec(lines[0] ?? '')?.[1]
  if (status === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines.slice(1)) {
    if (line === '') break
    const [, name = '', value = ''] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? []
    const lower = name.toLowerCase()
    headers.set(lower, headers.has(lower) ? `${headers.get(lower)}, ${value}` : value)
  }
  return { kind: 'http', status: Number(status), headers }
}

function parseEvent(text: string): AuditRefusal | undefined {
  let event: Record<string, unknown>
  try {
    event = JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
  const { type, time, reason, principal, http, attributes } = event
  if (typeof type !== 'string' || typeof time !== 'string') return undefined
  const string = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return {
    kind: 'audit',
    type,
    reason: string(reason),
    caller: string((principal as { id?: unknown } | undefined)?.id),
    method: string((http as { method?: unknown } | undefined)?.method),
    attributes: Object(attributes ?? {}) as Record<string, unknown>,
  }
}
