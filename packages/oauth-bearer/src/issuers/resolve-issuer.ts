import type { Audit } from '@countersign/audit'
import type { Clock } from '@countersign/core'
import { createDiscovery } from '../discovery.js'
import { DEFAULT_ALGORITHMS } from '../jwt/algorithms.js'
import { PROFILES } from '../jwt/profile.js'
import { fetchKeys } from '../keys/fetch-keys.js'
import { fixedKeys, secretKey } from '../keys/fixed-keys.js'
import type { KeyCache } from '../keys/key-cache.js'
import { keyReport } from '../keys/key-report.js'
import type { KeySource } from '../keys/key-source.js'
import { remoteKeys } from '../keys/remote-keys.js'
import type { ResolvedIssuer } from './issuer.js'
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
  const { issuer, secret, kind = 'jwt' } = checked
  const algorithms = checked.algorithms ?? (secret === undefined ? DEFAULT_ALGORITHMS : ['HS256'])
  return {
    ...checked,
    kind,
    algorithms,
    profile: PROFILES[checked.profile],
    audiences: checked.audience ?? context.audiences,
    claims: { ...context.claims, ...checked.claims },
    toleranceMs: context.toleranceMs,
    keys: kind === 'opaque' ? undefined : keysOf(checked, algorithms, context),
    introspectionMode: 'keys-unavailable',
    warnOfType: warnOnce(issuer),
  }
}

function keysOf(checked: CheckedIssuerOptions, algorithms: readonly string[], context: IssuerContext): KeySource {
  const { issuer, jwks, jwksUri, secret, trustedHosts, staleIfErrorSeconds } = checked
  if (secret !== undefined) return secretKey(secret, algorithms)
  if (jwks !== undefined) return fixedKeys(jwks, algorithms)
  const { clock, audit, keyCache } = context
  const discovery = createDiscovery(issuer, trustedHosts, clock)
  const place = jwksUri === undefined ? discovery : { endpoint: async () => ({ url: new URL(jwksUri) }), distrust() {} }
  return remoteKeys({
    ...fetchKeys({ issuer, place, algorithms, clock, keyCache }),
    clock,
    staleIfErrorMs: staleIfErrorSeconds * 1000,
    report: keyReport(audit, issuer),
  })
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
