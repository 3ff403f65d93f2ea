import { isDeepStrictEqual } from 'node:util'
import type { Audit, Clock } from '@countersign/core'
import type { ClaimRules } from '../claims.js'
import type { DpopMode } from '../dpop-options.js'
import { createDiscovery, type Discovery } from '../http/discovery.js'
import type { Network } from '../http/network.js'
import { createAskEndpoint } from '../introspection/ask-endpoint.js'
import { createIntrospection } from '../introspection/introspect.js'
import { profileOf } from '../jwt/profile.js'
import { createVerifyJwt } from '../jwt/verify-jwt.js'
import { DEFAULT_ALGORITHMS } from '../keys/algorithms.js'
import { fetchKeys } from '../keys/fetch-keys.js'
import { fixedKeys, secretKey } from '../keys/fixed-keys.js'
import { keyReport } from '../keys/key-report.js'
import type { KeySource } from '../keys/key-source.js'
import { remoteKeys } from '../keys/remote-keys.js'
import type { KeyCache } from '../store/port.js'
import type { Issuer } from './issuer.js'
import type { CheckedIssuerOptions } from './issuer-options.js'
import { createVerifyFunction } from './verify-function.js'

/** What an issuer takes from the gate's options. */
export interface GateSettings {
  readonly audiences: readonly string[]
  readonly claims: Readonly<Record<string, string>>
  readonly toleranceMs: number
  readonly clock: Clock
  readonly audit: Audit
  readonly keyCache: KeyCache | undefined
  readonly network: Network
  /** Of issuers that do not say it. Undefined: proofs are not checked. */
  readonly dpopMode: DpopMode | undefined
  /** Undefined: certificates are not checked. */
  readonly mtls: object | undefined
}

/** What an issuer's keys depend on. */
const OF_KEYS = [
  'issuer',
  'jwks',
  'jwksUri',
  'secret',
  'algorithms',
  'metadataUrl',
  'trustedHosts',
  'staleIfErrorSeconds',
  'keysTimeoutMs',
  'metadataTimeoutMs',
] as const

/**
 * Makes the state of an issuer. Sends no request yet. `before` is the issuer that it replaces: its keys are used on if nothing
 * that they depend on has changed, so that no outage begins with new options.
 */
export function createIssuer(checked: CheckedIssuerOptions, gate: GateSettings, before?: Issuer): Issuer {
  const { issuer, kind, secret, introspection } = checked
  const dpop = checked.dpop ?? gate.dpopMode ?? false
  const rules: ClaimRules = {
    issuer,
    audiences: checked.audience ?? gate.audiences,
    checkAudience: checked.checkAudience,
    clientIds: checked.clientIds,
    toleranceMs: gate.toleranceMs,
    scopeClaims: checked.scopeClaims,
    claimNames: { ...gate.claims, ...checked.claims },
    takesBound: dpop !== false || gate.mtls !== undefined,
  }
  const algorithms = checked.algorithms ?? (secret === undefined ? DEFAULT_ALGORITHMS : ['HS256'])
  const { metadataUrl, trustedHosts, metadataTimeoutMs: timeoutMs } = checked
  const { network, clock } = gate
  const discovery = createDiscovery({ issuer, metadataUrl, trustedHosts, network, timeoutMs, clock })
  const keysMadeOf = OF_KEYS.map((name) => checked[name])
  const usedKeys = isDeepStrictEqual(keysMadeOf, before?.keysMadeOf) ? before?.keys : undefined
  const keys = kind === 'opaque' ? undefined : (usedKeys ?? keysOf(checked, algorithms, discovery, gate))
  return {
    issuer,
    verifyJwt:
      keys &&
      createVerifyJwt({
        keys,
        algorithms,
        profile: profileOf(checked.profile, checked.isAccessToken),
        rules,
      }),
    ...askOf(checked, rules, discovery, gate),
    // The app's own function takes opaque tokens only.
    introspectionMode: introspection?.mode ?? 'opaque-only',
    acceptsIssuer: (name) => introspection === undefined || checked.acceptsIssuers.includes(name),
    tokenPrefix: checked.tokenPrefix ?? '',
    keys,
    keysMadeOf,
    dpop,
    publicPlace: () => discovery.publicPlace(),
  }
}

function keysOf(
  { issuer, jwks, jwksUri, secret, staleIfErrorSeconds, keysTimeoutMs }: CheckedIssuerOptions,
  algorithms: readonly string[],
  discovery: Discovery,
  { clock, audit, keyCache, network }: GateSettings,
): KeySource {
  if (secret !== undefined) return secretKey(secret, algorithms)
  if (jwks !== undefined) return fixedKeys(jwks, algorithms)
  const place = jwksUri === undefined ? discovery : { endpoint: async () => ({ url: new URL(jwksUri) }), distrust() {} }
  const report = keyReport(audit, issuer)
  return remoteKeys({
    ...fetchKeys({
      issuer,
      place,
      connect: network.connect,
      timeoutMs: keysTimeoutMs,
      algorithms,
      clock,
      keyCache,
      report,
    }),
    clock,
    staleIfErrorMs: staleIfErrorSeconds * 1000,
    report,
  })
}

function askOf(
  { issuer, introspection, acceptsIssuers, verify, verifyTimeoutMs }: CheckedIssuerOptions,
  rules: ClaimRules,
  discovery: Discovery,
  { clock, network }: GateSettings,
): Pick<Issuer, 'ask' | 'confirm'> {
  if (introspection !== undefined) {
    const ask = createAskEndpoint({ issuer, options: introspection, discovery, network, clock })
    return createIntrospection({ rules, acceptsIssuers, options: introspection, ask, clock })
  }
  if (verify === undefined) return { ask: undefined, confirm: undefined }
  const { toleranceMs, claimNames, takesBound } = rules
  const timeoutMs = verifyTimeoutMs
  const via = 'verify'
  const ask = createVerifyFunction({ verify, issuer, via, clock, timeoutMs, toleranceMs, claimNames, takesBound })
  return { ask, confirm: undefined }
}
