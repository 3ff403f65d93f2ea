import { type Middleware, OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { RequestHandler } from 'express'
import { assertScopes } from './demand.js'
import { isSafeUrlText, urlRule } from './http/url-rule.js'
import { type MetadataMount, noteMount } from './metadata-mount.js'
import { resourceMetadataUrl, WELL_KNOWN } from './resource.js'

const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server'

/** What the metadata document (RFC 9728 §2) says beyond the gate's options. */
export interface MetadataOptions {
  /** The scopes in the document. Default: the gate's `scopes` and those of its `scopes(…)` and `stepUp(…)`. */
  readonly scopesSupported?: readonly string[] | undefined
  readonly resourceName?: string | undefined
  readonly resourceDocumentation?: string | undefined
  readonly resourcePolicyUri?: string | undefined
  readonly resourceTosUri?: string | undefined
  /**
   * The authorization servers that clients may use, as https URLs. Default: the gate's issuers whose names are URLs. Needed
   * where clients know a server by another name than its tokens do, and where issuers are known at run time alone.
   */
  readonly authorizationServers?: readonly string[] | undefined
  /**
   * Redirects `/.well-known/oauth-authorization-server` to the metadata of the first authorization server, where it was found,
   * for clients that do not know RFC 9728. Default false.
   */
  readonly authorizationServerRedirect?: boolean | undefined
}

const rules = {
  scopesSupported: option.strings(),
  resourceName: option.string(),
  resourceDocumentation: urlRule(),
  resourcePolicyUri: urlRule(),
  resourceTosUri: urlRule(),
  authorizationServers: option.custom<readonly string[]>('a list of https URLs (http on loopback only)', (value) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => isSafeUrlText(one)) ? [...value] : undefined,
  ),
  authorizationServerRedirect: option.boolean().default(false),
}

/** What the document takes from the gate. */
export interface MetadataContext {
  readonly resource: string
  /** The issuers that clients can look for. */
  readonly issuers: readonly string[]
  /** Finds where clients get the metadata of an authorization server. Never rejects. */
  readonly findMetadata: (authorizationServer: string) => () => Promise<string>
  readonly scopes: () => readonly string[]
  /** Where the app says that clients find the document. */
  readonly at: string | undefined
  /** The signature algorithms of DPoP proofs; undefined where none are checked. */
  readonly dpopAlgorithms: readonly string[] | undefined
  /** Undefined: certificates are not checked. */
  readonly mtls: object | undefined
  /** Whether a bearer token is enough. */
  readonly takesBearer: boolean
  /** Notes where the handler runs. */
  readonly mount: MetadataMount
}

/** The place that the app names, as it is behind a proxy that removes what is before the well-known part. */
function belowPrefix({ at, resource }: MetadataContext): readonly string[] {
  const { origin, pathname } = new URL(at ?? resource)
  const start = pathname.indexOf(WELL_KNOWN)
  return start === -1 || origin !== new URL(resource).origin ? [] : [pathname.slice(start)]
}

/**
 * Serves RFC 9728 metadata at its path-inserted and its root location, to scripts of every origin. Other paths pass.
 * `resource` is the configured one, never what `Host` says.
 *
 * @throws {OptionError}
 */
export function serveMetadata(context: MetadataContext, options: MetadataOptions): Middleware {
  const resolved = resolveOptions('requireOAuthBearer', options, rules, 'metadata.')
  const { scopesSupported, authorizationServerRedirect } = resolved
  assertScopes(scopesSupported ?? [], 'metadata.scopesSupported')
  const own = new URL(resourceMetadataUrl(context.resource)).pathname
  const path = new URL(context.resource).pathname.replace(/\/$/, '')
  // The last one is where clients look that put the well-known part before the path of https://h/.
  const documents = new Set([own, WELL_KNOWN, ...belowPrefix(context), `${WELL_KNOWN}/`])
  const redirects = new Set(authorizationServerRedirect ? [AUTHORIZATION_SERVER, `${AUTHORIZATION_SERVER}${path}`] : [])
  for (const one of documents) context.mount.paths.add(one)
  const { authorizationServers = context.issuers } = resolved
  const findPlace = authorizationServerRedirect ? placeOfFirst(authorizationServers, context) : undefined

  function document(): string {
    const scopes = scopesSupported ?? context.scopes()
    // JSON.stringify leaves out members that are undefined.
    return JSON.stringify({
      resource: context.resource,
      authorization_servers: authorizationServers.length > 0 ? authorizationServers : undefined,
      scopes_supported: scopes.length > 0 ? scopes : undefined,
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: context.dpopAlgorithms,
      dpop_bound_access_tokens_required: context.takesBearer ? undefined : true,
      tls_client_certificate_bound_access_tokens: context.mtls === undefined ? undefined : true,
      resource_name: resolved.resourceName,
      resource_documentation: resolved.resourceDocumentation,
      resource_policy_uri: resolved.resourcePolicyUri,
      resource_tos_uri: resolved.resourceTosUri,
    })
  }

  return function oauthMetadata(request, response, next) {
    noteMount(context.mount, request.baseUrl)
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
      void findPlace?.().then((place) => response.redirect(302, place))
    } else {
      response.setHeader('Cache-Control', 'public, max-age=300')
      response.type('application/json').send(document())
    }
  } satisfies RequestHandler as Middleware
}

/** @throws {OptionError} */
function placeOfFirst([first]: readonly string[], { findMetadata }: MetadataContext): () => Promise<string> {
  if (first !== undefined) return findMetadata(first)
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    'metadata.authorizationServerRedirect',
    'requireOAuthBearer: option "metadata.authorizationServerRedirect" needs "metadata.authorizationServers": no issuer\'s name is a URL',
  )
}
