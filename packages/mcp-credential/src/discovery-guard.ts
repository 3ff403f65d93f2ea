import type { Middleware } from '@countersign/core'
import { hasParsedBody, readBody } from '@countersign/core/body'
import { andThen, settle } from '@countersign/core/gate-kit'
import type { Request, RequestHandler, Response } from 'express'

const METADATA = /\/\.well-known\/(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:\/|$)/
const TEXT =
  'This server does not use OAuth. It needs the credential that the app gave to this agent, and that credential is missing or ' +
  'has ended. Stop calling this server and tell the user. The app must start a new session.'
// RFC 6749 §5.2 and RFC 7591 §3.2.2: clients show the description.
const BODY = JSON.stringify({ error: 'access_denied', error_description: TEXT })
const MAX_BODY_BYTES = 64 * 1024

/**
 * Answers what an MCP client asks after a 401 when it looks for OAuth: the metadata, and without metadata `/register`,
 * `/authorize` and `/token` at the root (MCP 2025-03-26). All of it with a 404 in JSON that says what to do, so that a
 * client does not take an HTML page, or another app's document, for an authorization server. What is not such a request,
 * such as a person's own `POST /register`, passes.
 *
 * Mount it at the root, after the metadata of a gate that has one and the routes of an authorization server of your own.
 *
 * Source: RFC 8414 §3, RFC 9728 §3, RFC 7591 §3.1, RFC 6749 §3, MCP authorization.
 */
export function discoveryGuard(): Middleware {
  return function discoveryGuard(request, response, next) {
    if (METADATA.test(request.path)) return refuse(response)
    const isOAuth = ENDPOINTS.get(`${request.method} ${request.path}`)
    if (isOAuth === undefined) return next()
    return andThen(isOAuth(request), (answer) => (answer ? refuse(response) : next()))
  } satisfies RequestHandler as Middleware
}

function refuse(response: Response): void {
  response.status(404).set('Cache-Control', 'no-store').type('json').send(BODY)
}

/** By what OAuth demands of such a request: an app may have pages of its own at these paths. */
const ENDPOINTS: ReadonlyMap<string, (request: Request) => boolean | Promise<boolean>> = new Map([
  ['GET /authorize', ({ query }: Request) => typeof query.response_type === 'string'],
  ['POST /register', (request: Request) => hasParameter(request, 'redirect_uris', fromJson)],
  ['POST /token', (request: Request) => hasParameter(request, 'grant_type', fromForm)],
])

/** Looks at the body, and feeds it back. One that cannot be read is for the next handler. */
function hasParameter(request: Request, name: string, parse: (text: string) => unknown): boolean | Promise<boolean> {
  const isIn = (body: unknown) => body !== null && typeof body === 'object' && Object.hasOwn(body, name)
  if (hasParsedBody(request)) return isIn(request.body)
  // What is longer would be read in part, and is no such request.
  if (!(Number(request.headers['content-length']) <= MAX_BODY_BYTES)) return false
  return settle(
    () => readBody(request, MAX_BODY_BYTES),
    (bytes) => typeof bytes !== 'string' && isIn(parse(String(bytes))),
    () => false,
  )
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const fromForm = (text: string): unknown => Object.fromEntries(new URLSearchParams(text))
