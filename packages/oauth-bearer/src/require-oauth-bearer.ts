import type { Gate } from '@countersign/core'
import { defineGate } from '@countersign/core/gate-kit'
import type { RequestHandler } from 'express'
import { createAuthenticator } from './authenticate.js'
import { challengesFor, mergeExposed } from './challenges.js'
import type { LegacyTokenUsage } from './legacy.js'
import { createLoneVerifier } from './lone-verifier.js'
import { type MetadataOptions, metadataUrl, serveMetadata } from './metadata.js'
import { type Needs, resolveStepUp, type StepUpOptions } from './needs.js'
import { type RequireOAuthBearerOptions, resolveOAuthOptions } from './options.js'
import type { OAuthBearerPrincipal } from './principal.js'
import { presentsToken } from './read-credential.js'
import { reasons } from './reasons.js'
import { assertScopes } from './scopes.js'
import { rememberVerifier } from './verifier-of.js'

/** The gate of {@link requireOAuthBearer}. */
export interface OAuthBearerGate extends Gate<OAuthBearerPrincipal> {
  /** A gate for an operation that needs these scopes as well. Re-uses this gate's verdict on the same request. */
  scopes(...scopes: readonly string[]): Gate<OAuthBearerPrincipal>
  /** A gate for an operation that needs a stronger or more recent authentication of the user (RFC 9470). */
  stepUp(options: StepUpOptions): Gate<OAuthBearerPrincipal>
  /** Serves this resource's metadata (RFC 9728); mount it at the root of the app. */
  metadata(options?: MetadataOptions): RequestHandler
  /** Who came with a legacy token since this gate was made: when it is quiet, the rollout is over. */
  legacyUsage(): readonly LegacyTokenUsage[]
}

/**
 * Requires an OAuth 2 access token that was issued for this resource. Attaches {@link OAuthBearerPrincipal}. Answers 400
 * for a token in a wrong place, 401 for one that is not valid here, 403 for one without a needed scope, 503 when that
 * cannot be known now.
 *
 * Source: RFC 6750, RFC 9068, RFC 9728, RFC 9700.
 *
 * @throws {OptionError} at creation.
 * @example
 * const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: 'https://auth.example.com' })
 * app.use(oauth.metadata())
 * app.post('/mcp', oauth, handler)
 */
export function requireOAuthBearer(options: RequireOAuthBearerOptions): OAuthBearerGate {
  const resolved = resolveOAuthOptions(options)
  const { resource, realm, issuers, legacy, clock, audit, maxTokenBytes } = resolved
  const authenticator = createAuthenticator(resolved)
  let metadataAt = resolved.resourceMetadataUrl
  const knownScopes = new Set(resolved.scopes)
  const otherSchemes = () => (legacy === undefined || legacy.isOver(clock.now()) ? [] : [legacy.scheme])

  function gateFor(needs: Needs): Gate<OAuthBearerPrincipal> {
    const context = { realm, scopes: needs.scopes, otherSchemes, resourceMetadata: () => metadataAt }
    for (const scope of needs.scopes) knownScopes.add(scope)
    return defineGate({
      scheme: 'oauth-bearer',
      reads: ['authorization'],
      presents: presentsToken,
      authenticate: (request) => authenticator.authenticate(request, needs),
      reasons,
      challenge: (refusal) => challengesFor(context, refusal),
      answer: (answer, _verdict, request) => ({
        ...answer,
        headers: {
          ...answer.headers,
          'Access-Control-Expose-Headers': mergeExposed(request.res?.getHeader('Access-Control-Expose-Headers')),
        },
      }),
      options: resolved,
    })
  }

  const needing = (scopes: readonly string[]) => [...new Set([...resolved.scopes, ...scopes])]
  const gate = Object.assign(gateFor({ scopes: resolved.scopes }), {
    scopes(...scopes: readonly string[]) {
      assertScopes(scopes, 'scopes()')
      return gateFor({ scopes: needing(scopes) })
    },
    stepUp(stepUp: StepUpOptions) {
      const needs = resolveStepUp(stepUp)
      return gateFor({ ...needs, scopes: needing(needs.scopes) })
    },
    metadata(metadataOptions: MetadataOptions = {}) {
      const context = { resource, issuers: issuers.map(({ issuer }) => issuer), scopes: () => [...knownScopes] }
      const handler = serveMetadata(context, metadataOptions)
      metadataAt ??= metadataUrl(resource)
      return handler
    },
    legacyUsage: () => legacy?.usage() ?? [],
  })
  rememberVerifier(gate, createLoneVerifier({ authenticator, audit, resource, maxTokenBytes }))
  return gate
}
