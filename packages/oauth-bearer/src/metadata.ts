import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { RequestHandler } from 'express'
import { metadataUrls } from './discovery.js'
import { urlRule } from './issuers/url-rule.js'
import { assertScopes } from './scopes.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server'

export interface MetadataOptions {
  /** The scopes that the document tells of. Default: the gate's `scopes` and those of its `scopes(…)`. */
  readonly scopesSupported?: readonly string[]
  readonly resourceName?: string
  readonly resourceDocumentation?: string
  readonly resourcePolicyUri?: string
  readonly resourceTosUri?: string
  /** Leads clients of before RFC 9728 from `/.well-known/oauth-authorization-server` to the first issuer's. Default false. */
  readonly authorizationServerRedirect?: boolean
}

const rules = {
  scopesSupported: option.strings(),
  resourceName: option.string(),
  resourceDocumentation: urlRule(),
  resourcePolicyUri: urlRule(),
  resourceTosUri: urlRule(),
  authorizationServerRedirect: option.boolean().default(false),
}

export interface MetadataContext {
  readonly resource: string
  readonly issuers: readonly string[]
  readonly scopes: () => readonly string[]
}

/** Where a resource's metadata is: the well-known part goes between host and path (RFC 9728 §3.1). */
export function metadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}${WELL_KNOWN}${pathname === '/' ? '' : pathname}`
}

/**
 * Serves RFC 9728 metadata at its path-inserted and its root place, open to scripts of every origin. Other paths pass.
 * `resource` is what was configured, never what `Host` says.
 *
 * @throws {OptionError}
 */
export function serveMetadata(context: MetadataContext, options: MetadataOptions): RequestHandler {
  const resolved = resolveOptions('requireOAuthBearer', options, rules, 'metadata.')
  const { scopesSupported, authorizationServerRedirect } = resolved
  assertScopes(scopesSupported ?? [], 'metadata.scopesSupported')
  const [firstIssuer] = context.issuers
  if (firstIssuer === undefined) throw new OptionError('ERR_COUNTERSIGN_OPTION_MISSING', 'issuer', 'requireOAuthBearer: no issuer')
  const own = new URL(metadataUrl(context.resource)).pathname
  const path = new URL(context.resource).pathname.replace(/\/$/, '')
  const documents = new Set([own, WELL_KNOWN])
  const redirects = new Set(authorizationServerRedirect ? [AUTHORIZATION_SERVER, `${AUTHORIZATION_SERVER}${path}`] : [])
  const location = String(metadataUrls(firstIssuer)[0])

  function document(): string {
    const scopes = scopesSupported ?? context.scopes()
    // Members without a value are left out by JSON.stringify.
    return JSON.stringify({
      resource: context.resource,
      authorization_servers: context.issuers,
      scopes_supported: scopes.length > 0 ? scopes : undefined,
      bearer_methods_supported: ['header'],
      resource_name: resolved.resourceName,
      resource_documentation: resolved.resourceDocumentation,
      resource_policy_uri: resolved.resourcePolicyUri,
      resource_tos_uri: resolved.resourceTosUri,
    })
  }

  return function countersignMetadata(request, response, next) {
    const isRedirect = redirects.has(request.path)
    if (!isRedirect && !documents.has(request.path)) return next()
    response.setHeader('Access-Control-Allow-Origin', '*')
    if (request.method === 'OPTIONS') {
      response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS')
      response.setHeader('Access-Control-Allow-Headers', '*')
      response.setHeader('Access-Control-Max-Age', '86400')
      response.status(204).end()
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD, OPTIONS')
      response.status(405).end()
    } else if (isRedirect) {
      response.redirect(302, location)
    } else {
      response.setHeader('Cache-Control', 'public, max-age=300')
      response.type('application/json').send(document())
    }
  }
}
