import type { Connect } from '@countersign/oauth-bearer/explain'
import type { Check } from '../checks.js'

/** What the checks of one smoke test share. */
export interface SmokeRun {
  /** The resource, as it was given. */
  readonly url: string
  /** A plain API gets GET, an MCP server POST. */
  readonly isApi: boolean
  readonly token: string | undefined
  /** Milliseconds for each request. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Where this machine finds the metadata of the authorization server. */
  readonly metadataUrl: string | undefined
  /** Origins that may be asked over http. */
  readonly httpOrigins: readonly string[]
  readonly connect: Connect | undefined
  readonly fetch: typeof fetch
  add(check: Check): void
  pass(id: string, detail: string): void
  skip(id: string, detail: string): void
  warn(id: string, detail: string, remedy: string): void
  fail(id: string, detail: string, remedy: string): void
}

/** A document of metadata. */
export type Metadata = Readonly<Record<string, unknown>>

/** An answer that was read to its end. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /** The body as a JSON object; undefined when it is none. */
  readonly json: Metadata | undefined
}

/** A request of a check. */
export interface HttpRequest {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

const MAX_BYTES = 256 * 1024

/** There is no answer; the message says why. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
}

/**
 * Sends one request and reads the answer, at most 256 KiB. Redirects are not followed.
 *
 * @throws {HttpFailure} when there is no answer.
 */
export async function exchange(
  url: string,
  request: HttpRequest,
  { timeoutMs, signal, fetch }: Pick<SmokeRun, 'timeoutMs' | 'signal' | 'fetch'>,
): Promise<HttpAnswer> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const response = await fetch(url, { ...request, redirect: 'manual', signal: limit })
    return { status: response.status, headers: response.headers, json: parseObject(await readBody(response)) }
  } catch (error) {
    signal.throwIfAborted()
    throw new HttpFailure(reasonOf(error, timeoutMs), { cause: error })
  }
}

/** The same for a check: without an answer it fails, and undefined is returned. */
export async function ask(
  run: SmokeRun,
  id: string,
  remedy: string,
  url: string,
  request: HttpRequest = {},
): Promise<HttpAnswer | undefined> {
  try {
    return await exchange(url, request, run)
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error
    run.fail(id, error.message, remedy)
    return undefined
  }
}

/** Why an answer is not a metadata document. */
export function documentFlaw({ status, headers, json }: HttpAnswer): string | undefined {
  if (status !== 200) return `the answer is ${status}`
  const type = headers.get('content-type')
  if (!/^application\/([a-z.-]+\+)?json\b/i.test(type ?? '')) {
    return `its content type is ${type ?? 'missing'}, not application/json`
  }
  return json === undefined ? 'it is not a JSON object' : undefined
}

/** The first request of a client, with these header fields. */
export function firstRequest(isApi: boolean, headers: Record<string, string> = {}): HttpRequest {
  if (isApi) return { method: 'GET', headers: { accept: '*/*', ...headers } }
  return {
    method: 'POST',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
    body: INITIALIZE,
  }
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'countersign-smoke', version: '1.0.0' },
  },
})

/** A value as an absolute URL. */
export function parseAbsolute(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
}

async function readBody(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_BYTES) throw new Error(`the body is longer than ${MAX_BYTES / 1024} KiB`)
    text += decoder.decode(chunk, { stream: true })
    // A stream of events does not end: the first event is enough.
    if (response.headers.get('content-type')?.startsWith('text/event-stream') && text.includes('\n\n')) break
  }
  return text
}

function parseObject(text: string): Metadata | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Metadata) : undefined
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
