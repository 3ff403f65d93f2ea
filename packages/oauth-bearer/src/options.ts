import type { Audit } from '@countersign/core'
import { audit as defaultAudit } from '@countersign/core'
import { OptionError, type GateOptions } from '@countersign/core'
import { gateOptionRules, option, resolveOptions } from '@countersign/core/gate-kit'
import type { ResolvedIssuer } from './issuers/issuer.js'
import { audienceRule, checkIssuerOptions, claimMapRule, type IssuerOptions } from './issuers/issuer-options.js'
import { assertOneOpaqueIssuer } from './issuers/opaque-issuers.js'
import { resolveIssuer } from './issuers/resolve-issuer.js'
import { isSafeUrlText, urlRule } from './issuers/url-rule.js'
import { isJsonObject } from './jwt/strict-json.js'
import type { KeyCache } from './keys/key-cache.js'
import { createLegacy, type LegacyTokenOptions } from './legacy.js'
import type { OAuthBearerPrincipal } from './principal.js'
import type { OAuthBearerDependency, OAuthBearerReason } from './reasons.js'
import { assertScopes, createScopeCheck } from './scopes.js'

export interface RequireOAuthBearerOptions extends GateOptions<OAuthBearerReason, OAuthBearerDependency> {
  /** This resource's identifier (RFC 8707): the https URL that clients reach it by. */
  readonly resource: string
  /** The authorization server whose tokens are taken, or several. */
  readonly issuer: string | IssuerOptions | readonly (string | IssuerOptions)[]
  /** The audiences that tokens must name one of. Default: `resource`. */
  readonly audience?: string | readonly string[]
  /** The scopes that every request needs. Default: none. */
  readonly scopes?: readonly string[]
  /** Scope → scopes that come with it, e.g. `{ 'files:write': ['files:read'] }`. */
  readonly scopeImplies?: Readonly<Record<string, readonly string[]>>
  /** Names that the principal's claims get beside the issuer's own; an issuer's map goes first. */
  readonly claims?: Readonly<Record<string, string>>
  /** Tokens of before OAuth, under a scheme of their own, until a day that is set. */
  readonly legacy?: LegacyTokenOptions
  /** Asked on every request, cached or not. No answer within 2 s is a 503, and so is a `VerifierUnavailable`. */
  readonly isRevoked?: (principal: OAuthBearerPrincipal) => boolean | PromiseLike<boolean>
  /** Default 8192. */
  readonly maxTokenBytes?: number
  /** How far the issuer's clock may be off. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number
  /** The cache of verified tokens. Default 1000 entries; `false` is none. */
  readonly cache?: false | { readonly maxEntries?: number }
  /** Keeps key sets for processes that start while an issuer is down. */
  readonly keyCache?: KeyCache
  /** Sets `req.auth` in the shape that the MCP SDK reads. Default false. */
  readonly attachAuthInfo?: boolean
  /** Of challenges. Default: the host of `resource`. */
  readonly realm?: string
  /** Where the metadata is, when it is not this gate's `metadata()` that serves it. */
  readonly resourceMetadataUrl?: string
}

const rules = {
  ...gateOptionRules,
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
    .required(),
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
  legacy: option.custom<LegacyTokenOptions>('an object of tokens or verify, and until', (value) =>
    isJsonObject(value) ? (value as unknown as LegacyTokenOptions) : undefined,
  ),
  isRevoked: option.func<(principal: OAuthBearerPrincipal) => boolean | PromiseLike<boolean>>(),
  maxTokenBytes: option.integer(256, 65_536).default(8192),
  clockToleranceSeconds: option.integer(0, 60).default(5),
  cache: option.custom<false | object>('false or { maxEntries }', (value) =>
    value === false || isJsonObject(value) ? value : undefined,
  ),
  keyCache: option.port<KeyCache>('a key cache, such as redisKeyCache(redis, { secret })', 'load', 'save'),
  attachAuthInfo: option.boolean().default(false),
  realm: option.string(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'printable ASCII without quotes and backslashes'),
  resourceMetadataUrl: urlRule(),
}

const cacheRules = { maxEntries: option.integer(1, 1_000_000).default(1000) }

/** How long `legacy.verify` may take. */
const LEGACY_TIMEOUT_MS = 2000

/** The options with their defaults, and the state behind them. */
export type ResolvedOAuthOptions = ReturnType<typeof resolveOAuthOptions>

/** @throws {OptionError} */
export function resolveOAuthOptions(options: RequireOAuthBearerOptions) {
  const resolved = resolveOptions('requireOAuthBearer', options, rules)
  const { resource, clock, cache } = resolved
  assertScopes(resolved.scopes, 'scopes')
  assertScopes([...Object.keys(resolved.scopeImplies), ...Object.values(resolved.scopeImplies).flat()], 'scopeImplies')
  const cacheOptions =
    cache === false ? undefined : resolveOptions('requireOAuthBearer', cache ?? {}, cacheRules, 'cache.')
  const context = {
    audiences: resolved.audience ?? [resource],
    claims: resolved.claims,
    toleranceMs: resolved.clockToleranceSeconds * 1000,
    clock,
    audit: (resolved.audit as Audit | undefined) ?? defaultAudit,
    keyCache: resolved.keyCache,
  }
  const list = resolved.issuer.map((one, index) => checkIssuerOptions(one, pathOf(options.issuer, index)))
  if (new Set(list.map(({ issuer }) => issuer)).size !== list.length) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'issuer', 'requireOAuthBearer: option "issuer" names one issuer twice')
  }
  assertOneOpaqueIssuer(list)
  const issuers: readonly ResolvedIssuer[] = list.map((checked) => resolveIssuer(checked, context))
  return {
    ...resolved,
    audit: context.audit,
    issuers,
    legacy: resolved.legacy && createLegacy(resolved.legacy, LEGACY_TIMEOUT_MS, clock),
    maxCacheEntries: cacheOptions?.maxEntries ?? 0,
    hasScopes: createScopeCheck(resolved.scopeImplies),
    realm: resolved.realm ?? new URL(resource).host,
  }
}

function pathOf(given: RequireOAuthBearerOptions['issuer'], index: number): string {
  return Array.isArray(given) ? `issuer[${index}].` : 'issuer.'
}
