import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { checkIntrospectionOptions, type IntrospectionOptions } from '../introspection/introspection-options.js'
import { ASYMMETRIC_ALGORITHMS, DEFAULT_ALGORITHMS, SYMMETRIC_ALGORITHMS } from '../jwt/algorithms.js'
import type { ProfileName } from '../jwt/profile.js'
import { isJsonObject, type JsonObject } from '../jwt/strict-json.js'
import { hasTrustableKey } from '../keys/key-policy.js'
import type { VerifyFunction } from '../verify-function.js'
import type { IssuerKind } from './issuer.js'
import { urlRule } from './url-rule.js'

/** An authorization server whose tokens are taken. */
export interface IssuerOptions {
  /** Its issuer identifier, byte for byte as its metadata and tokens have it, a trailing slash included. */
  readonly issuer: string
  /**
   * `'jwt'`: its tokens are verified here, with its keys. `'opaque'`: somebody is asked about each. `'mixed'`: both.
   * Default: what the other options say; `'jwt'` without any.
   */
  readonly kind?: IssuerKind
  /** What this issuer's opaque tokens begin with. Needed when more than one issuer takes opaque tokens. */
  readonly tokenPrefix?: string
  /** The audiences that tokens must name one of. Default: the gate's `resource`. */
  readonly audience?: string | readonly string[]
  /** Takes the place of the comparison of audiences, for issuers that have another idea of it. Gets proven claims. */
  readonly checkAudience?: (claims: JsonObject) => boolean
  /** The clients whose tokens are taken. Default: all. */
  readonly clientIds?: readonly string[]
  /** `'rfc9068'` (default) or `'relaxed'`, for issuers whose access tokens have no type and few claims. */
  readonly profile?: ProfileName
  /** Signature algorithms. Default RS256, PS256, ES256, EdDSA; with a `secret` HS256. */
  readonly algorithms?: readonly string[]
  /** The claims that scopes are in. Default `['scope', 'scp']`. */
  readonly scopeClaims?: readonly string[]
  /** Names that the principal's claims get beside the issuer's own, e.g. `{ accountId: 'urn:example:account_id' }`. */
  readonly claims?: Readonly<Record<string, string>>
  /** Where the keys are. Default: as the issuer's metadata says. */
  readonly jwksUri?: string
  /** The keys themselves, instead of a place. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** Shared with the issuer, for HS256, HS384 and HS512: 32 bytes or more. */
  readonly secret?: string | Uint8Array
  /** When the issuer fails, its known keys go on for so long after they were fresh. Default 3600, at most 86400. */
  readonly staleIfErrorSeconds?: number
  /** Hosts beside the issuer's own that its metadata may name, though they have no public address. */
  readonly trustedHosts?: readonly string[]
  /** How to ask the issuer about a token. */
  readonly introspection?: IntrospectionOptions
  /** Verifies opaque tokens in the app's own way, instead of introspection. */
  readonly verify?: VerifyFunction
  /** How long `verify` may take. Default 2000. */
  readonly verifyTimeoutMs?: number
}

export const audienceRule = () =>
  option.custom<readonly string[]>('an audience or a list of them', (value) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    const isValid = list.length > 0 && list.every((one) => typeof one === 'string' && one !== '')
    return isValid ? Object.freeze([...(list as string[])]) : undefined
  })

export const claimMapRule = () =>
  option.custom<Readonly<Record<string, string>>>('an object of name: claim', (value) =>
    isJsonObject(value) && Object.values(value).every((name) => typeof name === 'string' && name !== '')
      ? Object.freeze({ ...(value as Record<string, string>) })
      : undefined,
  )

const rules = {
  issuer: urlRule().required(),
  kind: option.oneOf('jwt', 'opaque', 'mixed'),
  tokenPrefix: option.string(/^[A-Za-z0-9._~+/-]{1,64}$/, '1 to 64 characters of a token'),
  audience: audienceRule(),
  checkAudience: option.func<(claims: JsonObject) => boolean>(),
  clientIds: option.strings(),
  profile: option.oneOf('rfc9068', 'relaxed').default('rfc9068'),
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
  jwksUri: urlRule(),
  jwks: option.custom<JsonObject & { readonly keys: readonly unknown[] }>('a JWK set, { keys: […] }', (value) =>
    isJsonObject(value) && Array.isArray(value.keys) ? { ...value, keys: value.keys } : undefined,
  ),
  secret: option
    .custom<Uint8Array>('a secret of 32 bytes or more', (value) => {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      return bytes instanceof Uint8Array && bytes.length >= 32 ? bytes : undefined
    })
    .secret(),
  staleIfErrorSeconds: option.integer(0, 86_400).default(3600),
  trustedHosts: option.strings(/^[^/:@]+$/, 'a list of host names').default([]),
  introspection: option.custom<object>('an object of clientId, clientSecret and so on', (value) =>
    isJsonObject(value) ? value : undefined,
  ),
  verify: option.func<VerifyFunction>(),
  verifyTimeoutMs: option.integer(1, 60_000).default(2000),
}

/** What would seem to limit the tokens that a function lets in, and does not. */
const UNASKED_OF_VERIFY = ['audience', 'checkAudience', 'clientIds'] as const

export type CheckedIssuerOptions = ReturnType<typeof checkIssuerOptions>

/** @throws {OptionError} */
export function checkIssuerOptions(options: string | IssuerOptions, path: string) {
  const given = typeof options === 'string' ? { issuer: options } : options
  const checked = resolveOptions('requireOAuthBearer', given, rules, path)
  const fail = (name: string, problem: string) => {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      `${path}${name}`,
      `requireOAuthBearer: option "${path}${name}" ${problem}`,
    )
  }
  const hasSecret = checked.secret !== undefined
  const algorithms = checked.algorithms ?? []
  const wrong = algorithms.find((name) => SYMMETRIC_ALGORITHMS.includes(name) !== hasSecret)
  if (wrong !== undefined) fail('algorithms', `has ${wrong}: HS algorithms go with a "secret", the others with keys`)
  const sources = [checked.jwksUri, checked.jwks, checked.secret].filter((source) => source !== undefined)
  if (sources.length > 1) fail('jwks', 'goes without "jwksUri" and "secret": set one of the three')
  if (checked.jwks !== undefined && !hasTrustableKey(checked.jwks.keys, checked.algorithms ?? DEFAULT_ALGORITHMS)) {
    fail('jwks', 'has no key to verify with: public, for signatures, not weak, of one of the "algorithms"')
  }
  if (checked.introspection !== undefined && checked.verify !== undefined) {
    fail('verify', 'goes without "introspection": a token is sent to one place only')
  }
  const asks = checked.introspection !== undefined || checked.verify !== undefined
  const kind = checked.kind ?? (checked.introspection !== undefined ? 'mixed' : asks ? 'opaque' : 'jwt')
  if (asks !== (kind !== 'jwt')) {
    fail('kind', asks ? `is 'jwt', which asks nobody: say 'mixed'` : `is '${kind}': set "introspection" or "verify"`)
  }
  if (kind === 'opaque' && sources.length > 0) fail('kind', `is 'opaque', which has no keys: say 'mixed'`)
  const unasked = UNASKED_OF_VERIFY.find((name) => checked[name] !== undefined)
  if (kind === 'opaque' && checked.verify !== undefined && unasked !== undefined) {
    fail(unasked, 'is for tokens that are verified here: "verify" is to see to it itself')
  }
  if (kind === 'jwt' && checked.tokenPrefix !== undefined) fail('tokenPrefix', 'is for opaque tokens')
  const introspection =
    checked.introspection && checkIntrospectionOptions(checked.introspection, `${path}introspection.`)
  return { ...checked, kind, introspection }
}
