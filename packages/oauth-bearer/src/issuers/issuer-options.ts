import { OptionError } from '@countersign/core'
import { type OptionAliases, option, type RuleBuilder, resolveOptions } from '@countersign/core/gate-kit'
import { type DpopMode, dpopModeRule } from '../dpop-options.js'
import { askedUrlRule } from '../http/url-rule.js'
import {
  type CheckedIntrospectionOptions,
  checkIntrospectionOptions,
  type IntrospectionOptions,
} from '../introspection/introspection-options.js'
import type { ProfileName } from '../jwt/profile.js'
import {
  ASYMMETRIC_ALGORITHMS,
  DEFAULT_ALGORITHMS,
  minimumSecretBytes,
  SYMMETRIC_ALGORITHMS,
} from '../keys/algorithms.js'
import { hasTrustableKey } from '../keys/key-policy.js'
import { isJsonObject, type JsonObject } from '../strict-encoding.js'
import type { VerifyFunction } from './verify-function.js'

/** Which tokens an issuer makes: JWTs that are verified here, opaque tokens that are verified by asking, or both. */
export type IssuerKind = 'jwt' | 'opaque' | 'mixed'

/** An authorization server whose tokens are accepted. */
export interface IssuerOptions {
  /**
   * Its issuer identifier, byte for byte as its metadata and tokens have it, a trailing slash included. An https URL if its
   * metadata is looked for there; any name if this gate has its keys or endpoint from other options.
   */
  readonly issuer: string
  /**
   * `'jwt'`: its tokens are verified here, with its keys. `'opaque'`: each token is verified by asking. `'mixed'`: both.
   * Default: what the other options imply; `'jwt'` without any.
   */
  readonly kind?: IssuerKind | undefined
  /** What this issuer's opaque tokens begin with. Needed if more than one issuer accepts opaque tokens. */
  readonly tokenPrefix?: string | undefined
  /** The accepted audiences: a token must name one of them. Default: the gate's. */
  readonly audience?: string | readonly string[] | undefined
  /** Replaces the comparison of audiences, for issuers that express it in another way. Gets proven claims. */
  readonly checkAudience?: ((claims: JsonObject) => boolean) | undefined
  /** The clients whose tokens are accepted. Default: all. */
  readonly clientIds?: readonly string[] | undefined
  /** `'rfc9068'` (default) or `'relaxed'`, for issuers whose access tokens have no type and few claims. */
  readonly profile?: ProfileName | undefined
  /**
   * Knows this issuer's access tokens by their claims, in place of the marks of other tokens that `'relaxed'` looks for. Gets
   * proven claims of JWTs; what it does not know is refused as `wrong_type`.
   */
  readonly isAccessToken?: ((claims: JsonObject) => boolean) | undefined
  /** How long its tokens may be, in bytes. Default: the gate's `maxTokenBytes`, or 8192. */
  readonly maxTokenBytes?: number | undefined
  /**
   * Signature algorithms. Default RS256, PS256, ES256, EdDSA; with a `secret` HS256. A key whose JWK has no `alg` verifies all
   * that fit it: name the issuer's one, such as `['RS256']`, for one algorithm a key (RFC 8725 §3.1).
   */
  readonly algorithms?: readonly string[] | undefined
  /** The claims that contain scopes. Default `['scope', 'scp']`. */
  readonly scopeClaims?: readonly string[] | undefined
  /** Additional names in the principal's claims, such as `{ accountId: 'urn:example:account_id' }`. */
  readonly claims?: Readonly<Record<string, string>> | undefined
  /**
   * Where this gate finds the issuer's metadata, such as an internal address of it. The document must name `issuer`; its host
   * may have the keys and the introspection endpoint. Default: the well-known places of `issuer`.
   */
  readonly metadataUrl?: string | undefined
  /** Where the keys are. Default: the `jwks_uri` of the issuer's metadata. */
  readonly jwksUri?: string | undefined
  /** The keys themselves, instead of a URL. */
  readonly jwks?: { readonly keys: readonly object[] } | undefined
  /** Shared with the issuer: at least 32 bytes for HS256, 48 for HS384, 64 for HS512, as long as the hash (RFC 7518 §3.2). */
  readonly secret?: string | Uint8Array | undefined
  /** For how long keys that are no longer fresh are used while the issuer fails. Default 3600, at most 86400. */
  readonly staleIfErrorSeconds?: number | undefined
  /** How long a fetch of the keys may take. Default 3000. */
  readonly keysTimeoutMs?: number | undefined
  /** How long the search for the metadata may take, in all places together. Default 3000. */
  readonly metadataTimeoutMs?: number | undefined
  /** Further hosts that the issuer's metadata may name, although they have no public address. */
  readonly trustedHosts?: readonly string[] | undefined
  /**
   * Whether its tokens may (`'accepted'`), must (`'required'`) or may not (`false`) be bound to a key that their sender proves
   * (DPoP). Default: as the gate's `dpop`, which it needs.
   */
  readonly dpop?: DpopMode | false | undefined
  /** How to ask the issuer about a token. */
  readonly introspection?: IntrospectionOptions | undefined
  /**
   * Other issuers whose JWTs the introspection endpoint knows. A JWT of an issuer that is not configured is sent to the
   * endpoint only if it names one of these; the principal then has that issuer's name. Default: none.
   */
  readonly acceptsIssuers?: readonly string[] | undefined
  /** Verifies opaque tokens in the app's own way, instead of introspection. */
  readonly verify?: VerifyFunction | undefined
  /** How long `verify` may take. Default 2000. */
  readonly verifyTimeoutMs?: number | undefined
}

/** The rule of an option that is one audience or several. */
export function audienceRule(): RuleBuilder<readonly string[]> {
  return option.custom<readonly string[]>('an audience or a list of them', (value) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    const isValid = list.length > 0 && list.every((one) => typeof one === 'string' && one !== '')
    return isValid ? Object.freeze([...(list as string[])]) : undefined
  })
}

/** The rule of an option that says how long tokens may be. */
export function tokenBytesRule(): RuleBuilder<number> {
  return option.integer(256, 65_536)
}

/** The rule of an option that maps names to claims. */
export function claimMapRule(): RuleBuilder<Readonly<Record<string, string>>> {
  return option.custom<Readonly<Record<string, string>>>('an object of name: claim', (value) =>
    isJsonObject(value) && Object.values(value).every((name) => typeof name === 'string' && name !== '')
      ? Object.freeze({ ...(value as Record<string, string>) })
      : undefined,
  )
}

/** What an issuer's name looks like. */
export const ISSUER_NAME: RegExp = /^[!-~]{1,1024}$/

const rules = {
  issuer: option.string(ISSUER_NAME, "an issuer's name, in ASCII and without spaces").required(),
  kind: option.oneOf('jwt', 'opaque', 'mixed'),
  tokenPrefix: option.string(/^[A-Za-z0-9._~+/-]{1,64}$/, '1 to 64 characters of a token'),
  audience: audienceRule(),
  checkAudience: option.syncFunc<(claims: JsonObject) => boolean>(),
  clientIds: option.strings(),
  profile: option.oneOf('rfc9068', 'relaxed').default('rfc9068'),
  isAccessToken: option.syncFunc<(claims: JsonObject) => boolean>(),
  maxTokenBytes: tokenBytesRule(),
  algorithms: option.custom<readonly string[]>(
    `a list of ${[...ASYMMETRIC_ALGORITHMS, ...SYMMETRIC_ALGORITHMS].join(', ')}`,
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((name) => [...ASYMMETRIC_ALGORITHMS, ...SYMMETRIC_ALGORITHMS].includes(name))
        ? Object.freeze([...value])
        : undefined,
  ),
  scopeClaims: option.strings().default(Object.freeze(['scope', 'scp'])),
  claims: claimMapRule().default({}),
  jwks: option.custom<JsonObject & { readonly keys: readonly unknown[] }>('a JWK set, { keys: […] }', (value) =>
    isJsonObject(value) && Object.hasOwn(value, 'keys') && Array.isArray(value.keys)
      ? { ...value, keys: value.keys }
      : undefined,
  ),
  secret: option
    .custom<Uint8Array>('a secret of 32 bytes or more', (value) => {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      return bytes instanceof Uint8Array && bytes.length >= 32 ? bytes : undefined
    })
    .secret(),
  staleIfErrorSeconds: option.seconds(0, 86_400).default(3600),
  keysTimeoutMs: option.integer(1, 60_000).default(3000),
  metadataTimeoutMs: option.integer(1, 60_000).default(3000),
  trustedHosts: option.strings(/^[^/:@]+$/, 'a list of host names').default([]),
  dpop: dpopModeRule(),
  introspection: option.custom<object>('an object of clientId, clientSecret and so on', (value) =>
    isJsonObject(value) ? value : undefined,
  ),
  acceptsIssuers: option.strings().default(Object.freeze([])),
  verify: option.func<VerifyFunction>(),
  verifyTimeoutMs: option.integer(1, 60_000).default(2000),
}

const OWNER = 'requireOAuthBearer'
const ALIASES: OptionAliases = {
  algorithm: 'algorithms',
  clienttoken: 'introspection.clientSecret',
  clientid: 'introspection.clientId',
  clientsecret: 'introspection.clientSecret',
  introspectionendpoint: 'introspection.endpoint',
  issuerbaseurl: 'issuer',
  jwksurl: 'jwksUri',
  tokensigningalg: 'algorithms',
  url: 'issuer',
  keys: 'jwks',
}

const rulesFor = (httpOrigins: readonly string[]) => ({
  ...rules,
  metadataUrl: askedUrlRule(httpOrigins),
  jwksUri: askedUrlRule(httpOrigins),
})

/** An issuer whose metadata is looked for at its name. Errors name the option that has it. */
function assertUrl(issuer: string, name: string, httpOrigins: readonly string[]): void {
  resolveOptions(OWNER, { [name]: issuer }, { [name]: askedUrlRule(httpOrigins).required() })
}

/** Options that a `verify` function does not obey. */
const UNASKED_OF_VERIFY = ['audience', 'checkAudience', 'clientIds'] as const

/** The options of an issuer with their defaults. */
export interface CheckedIssuerOptions
  extends Omit<IssuerOptions, 'audience' | 'jwks' | 'secret' | 'introspection' | keyof DefaultedIssuerOptions>,
    DefaultedIssuerOptions {
  readonly audience: readonly string[] | undefined
  readonly jwks: (JsonObject & { readonly keys: readonly unknown[] }) | undefined
  readonly secret: Uint8Array | undefined
  readonly introspection: CheckedIntrospectionOptions | undefined
}

type DefaultedIssuerOptions = {
  readonly [K in
    | 'kind'
    | 'profile'
    | 'scopeClaims'
    | 'claims'
    | 'staleIfErrorSeconds'
    | 'trustedHosts'
    | 'acceptsIssuers'
    | 'keysTimeoutMs'
    | 'metadataTimeoutMs'
    | 'verifyTimeoutMs']: NonNullable<IssuerOptions[K]>
}

/**
 * `httpOrigins`: where http is allowed.
 *
 * @throws {OptionError}
 */
export function checkIssuerOptions(
  options: string | IssuerOptions,
  name: string,
  httpOrigins: readonly string[],
): CheckedIssuerOptions {
  const path = `${name}.`
  const isName = typeof options === 'string'
  if (isName) assertUrl(options, name, httpOrigins)
  const own = isName ? { issuer: options } : options
  const checked = resolveOptions(OWNER, own, rulesFor(httpOrigins), path, ALIASES)
  const fail = (option: string, problem: string) => {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      `${path}${option}`,
      `requireOAuthBearer: option "${path}${option}" ${problem}`,
    )
  }
  const hasSecret = checked.secret !== undefined
  const algorithms = checked.algorithms ?? []
  const wrong = algorithms.find((name) => SYMMETRIC_ALGORITHMS.includes(name) !== hasSecret)
  if (wrong !== undefined) fail('algorithms', `contains ${wrong}: HS algorithms need a "secret", the others need keys`)
  const { secret } = checked
  const tooLong = secret && algorithms.find((name) => minimumSecretBytes(name) > secret.length)
  if (tooLong !== undefined) {
    const bytes = `${minimumSecretBytes(tooLong)} bytes for ${tooLong}`
    fail('secret', `must have at least ${bytes}, the length of its hash (RFC 7518 §3.2): use a longer one`)
  }
  const sources = [checked.jwksUri, checked.jwks, checked.secret].filter((source) => source !== undefined)
  if (sources.length > 1) fail('jwks', 'cannot be combined with "jwksUri" or "secret": set one of the three')
  if (checked.jwks !== undefined && !hasTrustableKey(checked.jwks.keys, checked.algorithms ?? DEFAULT_ALGORITHMS)) {
    fail('jwks', 'has no usable key: public, for signatures, not weak, of one of the "algorithms"')
  }
  if (checked.introspection !== undefined && checked.verify !== undefined) {
    fail('verify', 'cannot be combined with "introspection": a token is sent to one place only')
  }
  const asks = checked.introspection !== undefined || checked.verify !== undefined
  const kind = checked.kind ?? (checked.introspection !== undefined ? 'mixed' : asks ? 'opaque' : 'jwt')
  if (asks !== (kind !== 'jwt')) {
    fail('kind', asks ? `is 'jwt', which never asks: set 'mixed'` : `is '${kind}': set "introspection" or "verify"`)
  }
  if (kind === 'opaque' && sources.length > 0) fail('kind', `is 'opaque', which has no keys: set 'mixed'`)
  const unasked = UNASKED_OF_VERIFY.find((name) => checked[name] !== undefined)
  if (kind === 'opaque' && checked.verify !== undefined && unasked !== undefined) {
    fail(unasked, 'applies to tokens that are verified here: "verify" must check it itself')
  }
  if (kind === 'opaque' && checked.isAccessToken !== undefined) {
    fail('isAccessToken', `applies to JWTs, and this issuer's kind is 'opaque': remove it, or set 'mixed'`)
  }
  if (checked.acceptsIssuers.length > 0 && checked.introspection === undefined) {
    fail('acceptsIssuers', 'is for an issuer with "introspection": "verify" gets every token')
  }
  if (kind === 'jwt' && checked.tokenPrefix !== undefined) fail('tokenPrefix', 'is for opaque tokens')
  const introspection =
    checked.introspection && checkIntrospectionOptions(checked.introspection, `${path}introspection.`, httpOrigins)
  const discovers =
    (kind !== 'opaque' && sources.length === 0) || (introspection !== undefined && introspection.endpoint === undefined)
  if (discovers && checked.metadataUrl === undefined)
    assertUrl(checked.issuer, isName ? name : `${path}issuer`, httpOrigins)
  return { ...checked, kind, introspection }
}
