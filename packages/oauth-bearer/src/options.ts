import { type Audit, audit, type Clock, type GateOptions, OptionError } from '@countersign/core'
import { gateOptionRules, type OptionAliases, option, resolveOptions } from '@countersign/core/gate-kit'
import { assertScopes } from './demand.js'
import {
  assertDpopIsOn,
  type CheckedDpopOptions,
  checkDpopOptions,
  type DpopMode,
  type DpopOptions,
  dpopRule,
} from './dpop-options.js'
import { type NetworkOptions, networkRules, type ResolvedNetworkOptions } from './http/network.js'
import { isSafeUrlText, urlRule } from './http/url-rule.js'
import {
  audienceRule,
  type CheckedIssuerOptions,
  checkIssuerOptions,
  claimMapRule,
  type IssuerOptions,
  tokenBytesRule,
} from './issuers/issuer-options.js'
import { assertOneOpaqueIssuer } from './issuers/opaque-issuers.js'
import type { FindIssuer } from './issuers/runtime-issuers.js'
import { type CheckedLegacyOptions, checkLegacyOptions, LEGACY_ISSUER, type LegacyTokenOptions } from './legacy.js'
import { type CheckedMtlsOptions, checkMtlsOptions, type MtlsMode, type MtlsOptions, mtlsRule } from './mtls-options.js'
import type { OAuthBearerPrincipal } from './principal.js'
import type { OAuthBearerDependency, OAuthBearerReason } from './reasons.js'
import { resourceSpellings } from './resource.js'
import type { KeyCache } from './store/port.js'
import { isJsonObject } from './strict-encoding.js'

/** Options of `requireOAuthBearer`. */
export interface RequireOAuthBearerOptions
  extends GateOptions<OAuthBearerReason, OAuthBearerDependency>,
    NetworkOptions {
  /** This resource's identifier (RFC 8707): the https URL that clients use. */
  readonly resource: string
  /** The authorization server whose tokens are accepted, or several. Needed unless `issuers` finds them. */
  readonly issuer?: string | IssuerOptions | readonly (string | IssuerOptions)[] | undefined
  /**
   * Finds further issuers at run time, by the `iss` of a token, such as those of an app's tenants. It may be async, has 2 s
   * (`issuersTimeoutMs`), and is asked again after 30 s. `iss` is a stranger's text: look it up, and never build an issuer out
   * of it. Options of another name than `iss` count as none.
   *
   * @example issuers: (iss) => tenants.get(iss)
   */
  readonly issuers?: FindIssuer | undefined
  /** How long `issuers` may take. Default 2000. */
  readonly issuersTimeoutMs?: number | undefined
  /** How many of those issuers' keys and caches are kept. Default 100. */
  readonly maxIssuers?: number | undefined
  /**
   * The accepted audiences, each exactly as written: a token must name one of them. Default: `resource`, at the root of a
   * host with and without the slash.
   */
  readonly audience?: string | readonly string[] | undefined
  /** The scopes that every request needs. Default: none. */
  readonly scopes?: readonly string[] | undefined
  /** Scope → scopes that it includes, such as `{ 'files:write': ['files:read'] }`. */
  readonly scopeImplies?: Readonly<Record<string, readonly string[]>> | undefined
  /** Additional names in the principal's claims; an issuer's own map takes precedence. */
  readonly claims?: Readonly<Record<string, string>> | undefined
  /**
   * Tokens that are bound to a key, whose sender proves to have it with each request (DPoP, RFC 9449): `'accepted'` beside
   * bearer tokens, `'required'`, or the options of proofs. Default false: bound tokens are refused.
   */
  readonly dpop?: DpopMode | false | DpopOptions | undefined
  /**
   * Tokens that are bound to the certificate of their client (mutual TLS, RFC 8705): `'accepted'` beside others, `'required'`, or
   * where the certificate is. Default false: bound tokens are refused.
   */
  readonly mtls?: MtlsMode | false | MtlsOptions | undefined
  /** Tokens from before OAuth, under an authentication scheme of their own, until a fixed time. */
  readonly legacy?: LegacyTokenOptions | undefined
  /**
   * Called on every request, also for cached tokens. A throw is an outage, 503, and so is no answer in time; a bug by decision
   * 0006 is 500.
   */
  readonly isRevoked?: ((principal: OAuthBearerPrincipal) => boolean | PromiseLike<boolean>) | undefined
  /** How long `isRevoked` may take. Default 2000. */
  readonly isRevokedTimeoutMs?: number | undefined
  /** How long a token may be. Default 8192, or the longest `maxTokenBytes` of its issuers; with `issuers` at least 16384. */
  readonly maxTokenBytes?: number | undefined
  /** How far the issuer's clock may differ. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number | undefined
  /** The cache of verified tokens. Default 1000 entries of each issuer; `false` turns it off. */
  readonly cache?: false | { readonly maxEntries?: number | undefined } | undefined
  /** Stores key sets for processes that start while an issuer is down. */
  readonly keyCache?: KeyCache | undefined
  /** Sets `req.auth` in the shape that the MCP SDK reads. Default true; set false if another library owns `req.auth`. */
  readonly attachAuthInfo?: boolean | undefined
  /** Seconds after which an open socket learns that its token has expired or is revoked. Default 5. */
  readonly recheckSeconds?: number | undefined
  /** The realm in challenges. Default: the host of `resource`. */
  readonly realm?: string | undefined
  /**
   * Where clients find the metadata. Default: where `metadata()` serves it. Needed if another server has it, or if a proxy
   * removes a part of the path and does not pass the place of RFC 9728 on.
   */
  readonly resourceMetadataUrl?: string | undefined
}

const rules = {
  ...gateOptionRules,
  ...networkRules,
  resource: option
    .custom<string>('an https URL (http on loopback only) without query, fragment and credentials', (value) =>
      isSafeUrlText(value) && !value.includes('?') ? value : undefined,
    )
    .required(),
  issuer: option
    .custom<readonly (string | IssuerOptions)[]>('an issuer, or a list of them', (value) => {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value]
      const isValid = list.length > 0 && list.every((one) => typeof one === 'string' || isJsonObject(one))
      return isValid ? (list as (string | IssuerOptions)[]) : undefined
    })
    .default([]),
  issuers: option.custom<FindIssuer>('a function (iss) => issuer options; a fixed list is for "issuer"', (value) =>
    typeof value === 'function' ? (value as FindIssuer) : undefined,
  ),
  issuersTimeoutMs: option.integer(1, 60_000).default(2000),
  maxIssuers: option.integer(1, 10_000).default(100),
  audience: audienceRule(),
  scopes: option.strings().default([]),
  scopeImplies: option
    .custom<Readonly<Record<string, readonly string[]>>>('an object of scope: [scope, …]', (value) =>
      isJsonObject(value) &&
      Object.values(value).every((list) => Array.isArray(list) && list.every((scope) => typeof scope === 'string'))
        ? (value as Record<string, readonly string[]>)
        : undefined,
    )
    .default({}),
  claims: claimMapRule().default({}),
  dpop: dpopRule().default(false),
  mtls: mtlsRule().default(false),
  legacy: option.custom<LegacyTokenOptions>('an object of tokens or verify, and until', (value) =>
    isJsonObject(value) ? (value as unknown as LegacyTokenOptions) : undefined,
  ),
  isRevoked: option.func<(principal: OAuthBearerPrincipal) => boolean | PromiseLike<boolean>>(),
  isRevokedTimeoutMs: option.integer(1, 60_000).default(2000),
  maxTokenBytes: tokenBytesRule(),
  clockToleranceSeconds: option.seconds(0, 60).default(5),
  cache: option.custom<false | object>('false or { maxEntries }', (value) =>
    value === false || isJsonObject(value) ? value : undefined,
  ),
  keyCache: option.port<KeyCache>('a key cache, such as redisKeyCache(redis, { secret })', 'load', 'save'),
  attachAuthInfo: option.boolean().default(true),
  recheckSeconds: option.seconds(0.01, 3600).default(5),
  realm: option.string(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'printable ASCII without quotes and backslashes'),
  resourceMetadataUrl: urlRule(),
}

/** Longer than almost every token; an issuer whose tokens are longer says so. */
const MAX_TOKEN_BYTES = 8192

/** With issuers that are yet to be found: as long as Node lets all header fields be together. */
const MAX_UNKNOWN_TOKEN_BYTES = 16_384

function longestOf(issuers: readonly CheckedIssuerOptions[], findIssuer: FindIssuer | undefined): number {
  const least = findIssuer === undefined ? MAX_TOKEN_BYTES : MAX_UNKNOWN_TOKEN_BYTES
  return Math.max(least, ...issuers.map((one) => one.maxTokenBytes ?? 0))
}

const ALIASES: OptionAliases = {
  algorithms: 'issuer.algorithms',
  algorithm: 'issuer.algorithms',
  baseurl: 'resource',
  clockskew: 'clockToleranceSeconds',
  clockskewseconds: 'clockToleranceSeconds',
  clocktolerance: 'clockToleranceSeconds',
  issuerbaseurl: 'issuer',
  authorizationservers: 'issuer',
  jwks: 'issuer.jwks',
  jwksuri: 'issuer.jwksUri',
  introspection: 'issuer.introspection',
  requiredscopes: 'scopes',
  scope: 'scopes',
  secret: 'issuer.secret',
  tokensigningalg: 'issuer.algorithms',
  verify: 'issuer.verify',
  verifier: 'issuer.verify',
}

const cacheRules = { maxEntries: option.integer(1, 1_000_000).default(1000) }

/** The options with their defaults. */
export interface ResolvedOAuthOptions extends GateOptions<OAuthBearerReason, OAuthBearerDependency> {
  readonly audit: Audit
  readonly clock: Clock
  readonly resource: string
  readonly issuers: readonly CheckedIssuerOptions[]
  readonly findIssuer: FindIssuer | undefined
  readonly issuersTimeoutMs: number
  readonly maxIssuers: number
  /** Of issuers that have none of their own. */
  readonly audiences: readonly string[]
  readonly scopes: readonly string[]
  readonly scopeImplies: Readonly<Record<string, readonly string[]>>
  readonly claims: Readonly<Record<string, string>>
  readonly dpop: CheckedDpopOptions | undefined
  /** Of issuers that do not say it. */
  readonly dpopMode: DpopMode | undefined
  readonly mtls: CheckedMtlsOptions | undefined
  readonly legacy: CheckedLegacyOptions | undefined
  readonly isRevoked: RequireOAuthBearerOptions['isRevoked']
  readonly isRevokedTimeoutMs: number
  readonly network: ResolvedNetworkOptions
  readonly maxTokenBytes: number
  readonly toleranceMs: number
  /** 0 for no cache. */
  readonly maxCacheEntries: number
  readonly keyCache: KeyCache | undefined
  readonly attachAuthInfo: boolean
  readonly recheckMs: number
  readonly realm: string
  readonly resourceMetadataUrl: string | undefined
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {OptionError}
 */
export function resolveOAuthOptions(options: RequireOAuthBearerOptions): ResolvedOAuthOptions {
  const {
    issuer,
    issuers: findIssuer,
    audience,
    cache,
    dpop: givenDpop,
    mtls,
    clockToleranceSeconds,
    recheckSeconds,
    ...others
  } = resolveOptions('requireOAuthBearer', options, rules, '', ALIASES)
  if (issuer.length === 0 && findIssuer === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'issuer',
      'requireOAuthBearer: option "issuer" is required: set it to an issuer or a list of them, or use "issuers"',
    )
  }
  const { dangerouslyAllowHttp, agent, useEnvProxy, ca, ...rest } = others
  const network = { dangerouslyAllowHttp, agent, useEnvProxy, ca }
  assertScopes(rest.scopes, 'scopes')
  assertScopes([...Object.keys(rest.scopeImplies), ...Object.values(rest.scopeImplies).flat()], 'scopeImplies')
  const caching = cache === false ? undefined : resolveOptions('requireOAuthBearer', cache ?? {}, cacheRules, 'cache.')
  const isList = Array.isArray(options.issuer)
  const issuers = issuer.map((one, index) =>
    checkIssuerOptions(one, isList ? `issuer[${index}]` : 'issuer', network.dangerouslyAllowHttp),
  )
  if (new Set(issuers.map((one) => one.issuer)).size !== issuers.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'issuer',
      'requireOAuthBearer: option "issuer" contains one issuer twice',
    )
  }
  if (issuers.some((one) => one.issuer === LEGACY_ISSUER)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'issuer',
      `requireOAuthBearer: option "issuer" is '${LEGACY_ISSUER}', the issuer of legacy tokens: holders of both would have the same ids`,
    )
  }
  assertOneOpaqueIssuer(issuers)
  const dpop = checkDpopOptions(givenDpop)
  const binding = issuers.findIndex((one) => one.dpop)
  if (binding !== -1) assertDpopIsOn(isList ? `issuer[${binding}].dpop` : 'issuer.dpop', dpop)
  return {
    ...rest,
    onDenied: rest.onDenied as ResolvedOAuthOptions['onDenied'],
    audit: rest.audit ?? audit,
    network,
    issuers,
    findIssuer,
    audiences: audience ?? resourceSpellings(rest.resource),
    dpop,
    dpopMode: dpop?.mode,
    mtls: checkMtlsOptions(mtls),
    legacy: rest.legacy && checkLegacyOptions(rest.legacy),
    maxTokenBytes: rest.maxTokenBytes ?? longestOf(issuers, findIssuer),
    toleranceMs: clockToleranceSeconds * 1000,
    recheckMs: Math.round(recheckSeconds * 1000),
    maxCacheEntries: caching?.maxEntries ?? 0,
    realm: rest.realm ?? new URL(rest.resource).host,
  }
}
