/** An answer that was read to its end. */
export interface HttpAnswer {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as a JSON object; undefined when it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

/** What every request of a run shares. */
export interface HttpSettings {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const MAX_BYTES = 256 * 1024

/** Why there is no answer. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
}

/**
 * Sends one request and reads the answer: at most 256 KiB, within `timeoutMs` in all. Redirects are not followed.
 *
 * @throws {HttpFailure} when there is no answer.
 */
export async function exchange(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string },
  { timeoutMs, signal }: HttpSettings,
): Promise<HttpAnswer> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const response = await fetch(url, { ...init, redirect: 'manual', signal: limit })
    const text = await readBody(response)
    return { url, status: response.status, headers: response.headers, text, json: parseObject(text) }
  } catch (error) {
    signal.throwIfAborted()
    throw new HttpFailure(reasonOf(error, timeoutMs), { cause: error })
  }
}

async function readBody(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_BYTES) throw new Error(`the body is longer than ${MAX_BYTES / 1024} KiB`)
    text += decoder.decode(chunk, { stream: true })
    // A stream of events has no end: its first one is enough.
    if (response.headers.get('content-type')?.startsWith('text/event-stream') && text.includes('\n\n')) break
  }
  return text
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, message, cause } = error as {
    name?: string
    message?: string
    cause?: { code?: string; message?: string }
  }
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`
  return cause?.code || cause?.message || message || 'no answer'
}

/** Whether secrets may go there: https, or this machine. */
export function isSecure(url: URL): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}

/** A text as an absolute URL. */
export function parseAbsolute(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
}
