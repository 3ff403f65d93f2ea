import { type SignOptions, sign } from '@countersign/hmac'

/** Options of {@link signedRequest}: those of `sign`, and the request. */
export interface SignedRequestOptions extends Omit<SignOptions, 'now'> {
  /** Default `POST`. */
  readonly method?: string | undefined
  /** An absolute URL, or a path for a test client that has the host already. */
  readonly url: string
  /** A text, bytes, or anything else as its JSON, with the content type that goes with it. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Milliseconds since the epoch, or a clock to ask, such as `fakeClock()`. Default: the system clock. */
  readonly now?: number | { now(): number } | undefined
  /** Makes the request one that a verifier must refuse, in this way. */
  readonly defect?: SignedRequestDefect | undefined
}

/**
 * `expired`: signed an hour ago. `wrong_secret`: with another secret. `altered_body`: one byte was added after signing.
 * `altered_path`: a segment was added. `wrong_audience`: for another service. `unknown_caller`: by one that is not
 * configured.
 */
export type SignedRequestDefect =
  | 'expired'
  | 'wrong_secret'
  | 'altered_body'
  | 'altered_path'
  | 'wrong_audience'
  | 'unknown_caller'

/** What to send: `fetch(url, { method, headers, body })`, or `supertest(app).post(url).set(headers).send(body)`. */
export interface SignedRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** A Buffer, typed as `fetch` wants it. */
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

const HOUR_MS = 3_600_000
const OTHER_SECRET = 'another-secret-that-the-verifier-does-not-know'

const BEFORE: Partial<Record<SignedRequestDefect, (signing: SignOptions) => SignOptions>> = {
  expired: (signing) => ({ ...signing, now: (signing.now ?? Date.now()) - HOUR_MS }),
  wrong_secret: (signing) => ({ ...signing, secret: OTHER_SECRET }),
  wrong_audience: (signing) => ({ ...signing, audience: 'another.example.com' }),
  unknown_caller: (signing) => ({ ...signing, caller: 'nobody-knows-this-caller' }),
}

const AFTER: Partial<Record<SignedRequestDefect, (request: SignedRequest) => SignedRequest>> = {
  altered_body: (request) => ({ ...request, body: Buffer.concat([request.body ?? Buffer.alloc(0), Buffer.from(' ')]) }),
  altered_path: (request) => ({ ...request, url: request.url.replace(/(\?|#|$)/, '/altered$1') }),
}

/**
 * Signs a request for a `requireHmac` gate, as another service would, or with a defect on purpose. Each call has a nonce
 * of its own: send one result twice to see a replay refused.
 *
 * @throws {OptionError} for what cannot be signed.
 * @example
 * const { method, url, headers, body } = signedRequest({ url: `${base}/internal`, body: { a: 1 }, caller, version: 1, secret, audience })
 * const response = await fetch(url, { method, headers, body })
 */
export function signedRequest(options: SignedRequestOptions): SignedRequest {
  const { method = 'POST', url, body: given, headers: own = {}, now, defect, ...signing } = options
  const body = bytesOf(given)
  const headers = { ...contentTypeOf(given), ...own }
  const nowMs = typeof now === 'object' ? now.now() : now
  const signed: SignOptions = { ...signing, now: nowMs }
  const before = defect === undefined ? undefined : BEFORE[defect]
  const added = sign({ method, url, headers, ...(body && { body }) }, before === undefined ? signed : before(signed))
  const request: SignedRequest = { method, url, headers: { ...headers, ...added }, body }
  const after = defect === undefined ? undefined : AFTER[defect]
  return after === undefined ? request : after(request)
}

function bytesOf(body: unknown): Buffer<ArrayBuffer> | undefined {
  if (body === undefined) return undefined
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

function contentTypeOf(body: unknown): Record<string, string> {
  if (body === undefined || body instanceof Uint8Array) return {}
  return { 'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json' }
}
