import type { Audit } from '@countersign/core'
import type { Clock } from '@countersign/core'
import { createDiscovery, type Discovery } from '../discovery.js'
import { createAskEndpoint } from '../introspection/ask-endpoint.js'
import { createIntrospection } from '../introspection/introspect.js'
import { DEFAULT_ALGORITHMS } from '../jwt/algorithms.js'
import { PROFILES } from '../jwt/profile.js'
import { fetchKeys } from '../keys/fetch-keys.js'
import { fixedKeys, secretKey } from '../keys/fixed-keys.js'
import type { KeyCache } from '../keys/key-cache.js'
import { keyReport } from '../keys/key-report.js'
import type { KeySource } from '../keys/key-source.js'
import { remoteKeys } from '../keys/remote-keys.js'
import { createVerifyFunction } from '../verify-function.js'
import type { OpaqueVerifier, ResolvedIssuer } from './issuer.js'
import type { CheckedIssuerOptions } from './issuer-options.js'

/** What an issuer shares with the gate. */
export interface IssuerContext {
  readonly audiences: readonly string[]
  readonly claims: Readonly<Record<string, string>>
  readonly toleranceMs: number
  readonly clock: Clock
  readonly audit: Audit
  readonly keyCache?: KeyCache
}

/** An issuer with its defaults and its state. Asks nobody yet. */
export function resolveIssuer(checked: CheckedIssuerOptions, context: IssuerContext): ResolvedIssuer {
  const { issuer, secret, kind, trustedHosts } = checked
  const algorithms = checked.algorithms ?? (secret === undefined ? DEFAULT_ALGORITHMS : ['HS256'])
  const discovery = createDiscovery(issuer, trustedHosts, context.clock)
  const claims = { ...context.claims, ...checked.claims }
  const resolved: ResolvedIssuer = {
    issuer,
    kind,
    tokenPrefix: checked.tokenPrefix,
    algorithms,
    profile: PROFILES[checked.profile],
    audiences: checked.audience ?? context.audiences,
    checkAudience: checked.checkAudience,
    clientIds: checked.clientIds,
    scopeClaims: checked.scopeClaims,
    claims,
    toleranceMs: context.toleranceMs,
    keys: kind === 'opaque' ? undefined : keysOf(checked, algorithms, discovery, context),
    askAbout: askingOf(checked, discovery, context, claims, () => resolved),
    // A function of the app's own takes opaque tokens alone.
    introspectionMode: checked.introspection?.mode ?? 'opaque-only',
    warnOfType: warnOnce(issuer),
  }
  return resolved
}

function keysOf(
  { issuer, jwks, jwksUri, secret, staleIfErrorSeconds }: CheckedIssuerOptions,
  algorithms: readonly string[],
  discovery: Discovery,
  { clock, audit, keyCache }: IssuerContext,
): KeySource {
  if (secret !== undefined) return secretKey(secret, algorithms)
  if (jwks !== undefined) return fixedKeys(jwks, algorithms)
  const place = jwksUri === undefined ? discovery : { endpoint: async () => ({ url: new URL(jwksUri) }), distrust() {} }
  return remoteKeys({
    ...fetchKeys({ issuer, place, algorithms, clock, keyCache }),
    clock,
    staleIfErrorMs: staleIfErrorSeconds * 1000,
    report: keyReport(audit, issuer),
  })
}

function askingOf(
  { issuer, introspection, verify, verifyTimeoutMs }: CheckedIssuerOptions,
  discovery: Discovery,
  { clock, toleranceMs }: IssuerContext,
  claims: Readonly<Record<string, string>>,
  resolved: () => ResolvedIssuer,
): OpaqueVerifier | undefined {
  if (introspection !== undefined) {
    const ask = createAskEndpoint({ issuer, options: introspection, discovery, clock })
    return createIntrospection({ issuer: resolved, options: introspection, ask, clock })
  }
  if (verify === undefined) return undefined
  return createVerifyFunction({ verify, issuer, via: 'verify', clock, timeoutMs: verifyTimeoutMs, toleranceMs, claims })
}

function warnOnce(issuer: string): () => void {
  let isWarned = false
  return () => {
    if (isWarned) return
    isWarned = true
    process.emitWarning(`requireOAuthBearer: a token of ${issuer} was refused because of its type`, {
      code: 'COUNTERSIGN_OAUTH_WRONG_TYPE',
      detail:
        "If this issuer's access tokens have no type of RFC 9068 (at+jwt), set profile: 'relaxed' for it. " +
        'If not, a client sends another kind of token, for example an ID token.',
    })
  }
}
