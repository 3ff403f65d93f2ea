import type { Middleware } from '@countersign/core'
import type { RequestHandler } from 'express'

const PROBE = /\/\.well-known\/(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:\/|$)/
const BODY = JSON.stringify({
  error: 'not_found',
  error_description: 'There is no OAuth here: use the credential that you were given',
})

/**
 * Answers the OAuth discovery probes that an MCP client sends after a 401 with a JSON 404, so that it does not take an
 * HTML page, or another app's document, for an authorization server. Mount it after the metadata of a gate that has one.
 *
 * Source: RFC 8414 §3, RFC 9728 §3, MCP authorization.
 */
export function discoveryGuard(): Middleware {
  return function discoveryGuard(request, response, next) {
    if (!PROBE.test(request.path)) return next()
    response.status(404).set('Cache-Control', 'no-store').type('json').send(BODY)
  } satisfies RequestHandler as Middleware
}
