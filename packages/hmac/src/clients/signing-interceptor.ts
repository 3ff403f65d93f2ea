import { stringify } from 'node:querystring'
import { OptionError } from '@countersign/core'
import { CodedTypeError, option, resolveOptions } from '@countersign/core/gate-kit'
import { createSigner, type SigningClientOptions, signingClientRules, streamRefused } from './signer.js'

/** Options of {@link createSigningInterceptor}. */
export interface SigningInterceptorOptions extends SigningClientOptions {
  /** The origins that are signed for, such as `https://billing.example.com`; a request to another one is refused. */
  readonly origins: readonly string[]
}

/** What of undici's `Dispatcher.DispatchOptions` matters here. */
export interface DispatchedRequest {
  readonly origin?: string | URL | undefined
  readonly path: string
  readonly method: string
  readonly headers?: unknown
  readonly body?: unknown
  readonly query?: Readonly<Record<string, unknown>> | undefined
}

/** What undici's `Dispatcher.compose()` takes. */
export type SigningInterceptor = <O extends DispatchedRequest, H, R>(
  dispatch: (options: O, handler: H) => R,
) => (options: O, handler: H) => R

const OWNER = 'createSigningInterceptor'
const rules = {
  ...signingClientRules,
  origins: option
    .custom<ReadonlySet<string>>('a list of origins, such as "https://billing.example.com"', (value) =>
      Array.isArray(value) && value.length > 0 && value.every(isOrigin) ? new Set(value) : undefined,
    )
    .required(),
}

function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text
}

/**
 * An interceptor for undici's dispatchers, which signs what is sent. Compose it before a retry interceptor, so that each
 * attempt has a signature of its own. It signs for `origins` alone: a redirect could otherwise have any request signed.
 *
 * A dispatch throws with code `ERR_COUNTERSIGN_HMAC_BODY_STREAM` for a body other than text and bytes, unless a `Content-Digest`
 * header (RFC 9530) stands for it. undici's `fetch` makes a stream of every body: use `createSignedFetch` there.
 *
 * @throws {OptionError} for a wrong option, and for a secret shorter than 32 bytes.
 * @example
 * const agent = new Agent().compose(createSigningInterceptor({ caller, version, secret, origins }), interceptors.retry())
 */
export function createSigningInterceptor(options: SigningInterceptorOptions): SigningInterceptor {
  const { origins, ...signing } = resolveOptions(OWNER, options, rules)
  const signer = createSigner(signing)

  function signedOptions<O extends DispatchedRequest>(request: O): O {
    const origin = new URL(String(request.origin)).origin
    if (!origins.has(origin)) {
      throw new CodedTypeError(
        'ERR_COUNTERSIGN_HMAC_ORIGIN',
        `${OWNER}: ${origin} is not one of "origins": nothing was sent`,
      )
    }
    const pairs = pairsOf(request.headers)
    const body = bytesOf(request.body)
    const isDeclared = pairs.some(([name]) => name.toLowerCase() === 'content-digest')
    if (body === undefined && request.body != null && !isDeclared) throw streamRefused(OWNER)
    // What is signed is what is sent: undici would add the query only later.
    const path = request.query == null ? request.path : withQuery(request.path, request.query)
    const declared = body === undefined ? {} : { body }
    const signed = signer({ method: request.method, url: path, headers: pairs, ...declared }, new URL(origin).host)
    const names = new Set(Object.keys(signed).map((name) => name.toLowerCase()))
    const headers = [...pairs.filter(([name]) => !names.has(name.toLowerCase())), ...Object.entries(signed)].flat()
    return { ...request, path, query: undefined, headers }
  }

  return function signingInterceptor<O extends DispatchedRequest, H, R>(dispatch: (options: O, handler: H) => R) {
    return function dispatchSigned(request: O, handler: H): R {
      return dispatch(signedOptions(request), handler)
    }
  }
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? body : undefined
}

function withQuery(path: string, query: Readonly<Record<string, unknown>>): string {
  if (path.includes('?')) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'query',
      `${OWNER}: a request may have "query", or a query in "path", not both`,
    )
  }
  const text = stringify(query as Parameters<typeof stringify>[0])
  return text === '' ? path : `${path}?${text}`
}

/** undici takes a flat list, an object whose values may be lists, or pairs. */
function pairsOf(headers: unknown): [string, string][] {
  if (headers == null) return []
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    const flat = headers.map(String)
    return flat.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : []))
  }
  const isIterable = typeof headers === 'object' && Symbol.iterator in headers
  const pairs = isIterable ? [...(headers as Iterable<[string, unknown]>)] : Object.entries(headers)
  return pairs.flatMap(([name, value]): [string, string][] =>
    value == null ? [] : Array.isArray(value) ? value.map((one) => [name, String(one)]) : [[name, String(value)]],
  )
}
