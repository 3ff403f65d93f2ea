import { type Gate, type Middleware, memoryReplay } from '@countersign/core'
import { defineGate, giveBack, isUpgrade, type LegacyUse, memberOf } from '@countersign/core/gate-kit'
import { authInfoOf } from '@countersign/core/mcp-sdk'
import { challengesFor, mergeExposed } from './challenges.js'
import { createDemand, createScopeCheck, type Needs, resolveStepUp, type StepUpOptions, scopesNamed } from './demand.js'
import { assertDpopIsOn } from './dpop-options.js'
import { createDiscovery } from './http/discovery.js'
import { isSafeUrlText } from './http/url-rule.js'
import { createIssuers } from './issuers/create-issuers.js'
import { createLegacy } from './legacy.js'
import { type MetadataOptions, serveMetadata } from './metadata.js'
import { createMount, placeOf, tellOfMount } from './metadata-mount.js'
import { type RequireOAuthBearerOptions, resolveOAuthOptions } from './options.js'
import type { OAuthBearerPrincipal } from './principal.js'
import { type PresentedToken, readBareToken, readToken } from './read.js'
import { dependencies, type OAuthBearerDependency, type OAuthBearerReason, reasons } from './reasons.js'
import { verifyWithSender } from './sender.js'
import { watchSockets } from './socket-watch.js'
import { createVerify } from './verify.js'

/** The gate of {@link requireOAuthBearer}. */
export interface OAuthBearerGate extends Gate<OAuthBearerPrincipal> {
  /**
   * A gate for an operation that needs these scopes as well: one or more, or one list of them. Gates of one origin verify
   * a request's token once.
   *
   * @throws {OptionError} when no scope is named, or something that is not a scope.
   */
  scopes(...scopes: readonly string[] | readonly [readonly string[]]): Gate<OAuthBearerPrincipal>
  /** A gate for an operation that needs a stronger or more recent authentication of the user (RFC 9470). */
  stepUp(options: StepUpOptions): Gate<OAuthBearerPrincipal>
  /**
   * A gate for an operation that needs a token that is bound to a key, with a proof of its sender (DPoP, RFC 9449): a bearer token
   * is refused.
   *
   * @throws {OptionError} when the option `dpop` is off.
   */
  dpop(): Gate<OAuthBearerPrincipal>
  /** Serves this resource's metadata (RFC 9728). Mount it at the root of the app. */
  metadata(options?: MetadataOptions): Middleware
  /** Who has used a legacy token since this gate was made. When the list stops growing, the migration is over. */
  legacyUsage(): readonly LegacyUse[]
}

/**
 * Requires an OAuth 2 access token that was issued for this resource. Attaches {@link OAuthBearerPrincipal}. Answers 400
 * for a token in a wrong place, 401 for a token that is not valid here, 403 for a token without a needed scope, and 503 if
 * that cannot be known now.
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
  const { resource, realm, clock, maxTokenBytes, toleranceMs, attachAuthInfo, recheckMs } = resolved
  const { network, issuers, findIssuer } = createIssuers(resolved)
  const legacy = resolved.legacy && createLegacy(resolved.legacy, clock)
  const { dpop, mtls } = resolved
  const schemes = ['bearer', ...(dpop ? ['dpop'] : []), ...(legacy ? [legacy.scheme.toLowerCase()] : [])]
  const verifyToken = createVerify({ ...resolved, issuers, findIssuer, legacy })
  const replay = dpop && (dpop.replay ?? memoryReplay({ clock }))
  const verify =
    dpop === undefined && mtls === undefined
      ? verifyToken
      : verifyWithSender(verifyToken, { dpop, mtls, replay, resource, clock })
  const modes = [...issuers.map((issuer) => issuer.dpop), ...(findIssuer ? [dpop?.mode] : [])]
  const takesBearer = modes.some((mode) => mode !== 'required')
  const hasScopes = createScopeCheck(resolved.scopeImplies)
  // What the sender of an upgrade proved stays proven while its socket is open.
  const sockets = watchSockets(verifyToken, resolved.audit)
  const knownScopes = new Set(resolved.scopes)
  // With those that include others, and those that only the metadata names.
  const relevantScopes = new Set([...resolved.scopes, ...Object.keys(resolved.scopeImplies)])
  const demandContext = { hasScopes, relevantScopes, clock, toleranceMs }
  const mount = createMount(resource)
  const names = issuers.map(({ issuer }) => issuer).filter((name) => isSafeUrlText(name, network.httpOrigins))

  function findMetadata(name: string): () => Promise<string> {
    const known = issuers.find(({ issuer }) => issuer === name) ?? createDiscovery({ issuer: name, network, clock })
    return () => known.publicPlace()
  }

  function gateFor(given: Needs): Gate<OAuthBearerPrincipal> {
    const needs = { acr: undefined, maxAuthAgeSeconds: undefined, ...given }
    for (const scope of needs.scopes) {
      knownScopes.add(scope)
      relevantScopes.add(scope)
    }
    const context = {
      realm,
      scopes: needs.scopes,
      takesBearer: takesBearer && needs.isBound !== true,
      dpopAlgorithms: dpop?.algorithms,
      otherSchemes: () => (legacy === undefined || legacy.isOver(clock.now()) ? [] : [legacy.scheme]),
      resourceMetadata: () => resolved.resourceMetadataUrl ?? placeOf(mount),
    }
    return defineGate<PresentedToken, OAuthBearerPrincipal, OAuthBearerReason, OAuthBearerDependency>({
      name: 'oauth-bearer',
      middleware: 'requireOAuthBearer',
      reads: ['authorization'],
      read: (request) => readToken(request, schemes, maxTokenBytes),
      verify,
      demand: createDemand(needs, demandContext),
      decided(verdict, presented, request) {
        const isGranted = verdict.outcome === 'granted'
        if (dpop && verdict.outcome === 'unavailable' && verdict.dependency === 'audit_sink') giveBack(request)
        if (attachAuthInfo) {
          const auth = isGranted ? authInfoOf(verdict.principal, { token: presented?.token, resource }) : undefined
          ;(request as { auth?: unknown }).auth = auth
        }
        if (!isGranted || presented === undefined || !isUpgrade(request)) return
        sockets.watch(request.socket, { presented, request, principalId: verdict.principal.id }, recheckMs)
      },
      // The gates of one origin verify with one cache and one set of keys.
      verifier: verify,
      dependencies,
      reasons,
      challenge: (refusal) => challengesFor(context, refusal),
      shape: (answer, refusal, request) => {
        if (refusal.outcome === 'denied') tellOfMount(mount, request)
        const exposed = mergeExposed(request.res?.getHeader('Access-Control-Expose-Headers'))
        return { ...answer, headers: { ...answer.headers, 'Access-Control-Expose-Headers': exposed } }
      },
      withoutRequest: {
        read: (token) => readBareToken(token, maxTokenBytes),
        impossible: context.takesBearer ? (mtls?.mode === 'required' ? 'mtls' : undefined) : 'dpop',
        resource,
        passesToken: true,
      },
      options: resolved,
    })
  }

  const needing = (scopes: readonly string[]) => [...new Set([...resolved.scopes, ...scopes])]
  return Object.assign(gateFor({ scopes: resolved.scopes }), {
    scopes(...given: readonly unknown[]) {
      return gateFor({ scopes: needing(scopesNamed(given)) })
    },
    stepUp(stepUp: StepUpOptions) {
      const needs = resolveStepUp(stepUp)
      return gateFor({ ...needs, scopes: needing(needs.scopes) })
    },
    dpop() {
      assertDpopIsOn('dpop()', dpop)
      return gateFor({ scopes: resolved.scopes, isBound: true })
    },
    metadata(metadataOptions: MetadataOptions = {}) {
      const at = resolved.resourceMetadataUrl
      const dpopAlgorithms = dpop?.algorithms
      const ours = { resource, issuers: names, scopes: () => [...knownScopes], dpopAlgorithms, takesBearer, mtls }
      const context = { ...ours, findMetadata, at, mount }
      const handler = serveMetadata(context, metadataOptions)
      for (const scope of memberOf(metadataOptions, 'scopesSupported') ?? []) relevantScopes.add(scope)
      if (at === undefined) mount.handlers.push(handler)
      return handler
    },
    legacyUsage: () => legacy?.usage() ?? [],
  })
}
