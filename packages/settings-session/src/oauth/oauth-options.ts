import { OptionError } from '@countersign/core'
import { isSecureUrl, option, resolveOptions } from '@countersign/core/gate-kit'

/** A provider that people sign in at: by OpenID Connect discovery, or by its three endpoints. */
export interface SettingsOAuth {
  /** The OpenID provider's issuer: everything else is discovered. */
  readonly issuer?: string | undefined
  readonly authUrl?: string | undefined
  readonly tokenUrl?: string | undefined
  /** Where the person's id is read, as JSON, with the access token. */
  readonly userinfoUrl?: string | undefined
  /** The issuer of identities, where there is no discovery. Default: the token URL's origin. */
  readonly issuerId?: string | undefined
  /** The member of the userinfo answer that is the person's id. Default `sub`. */
  readonly subjectClaim?: string | undefined
  readonly clientId: string
  readonly clientSecret: string
  /** Default `['openid']` with an issuer, none without. */
  readonly scopes?: readonly string[] | undefined
  /** Shown to people, and nowhere else. Default: the host that they sign in at. */
  readonly providerName?: string | undefined
  /** Milliseconds that the provider has for one answer. Default 5000. */
  readonly timeoutMs?: number | undefined
}

/** An OpenID provider: the rest is discovered. */
export interface DiscoveryMode {
  readonly kind: 'discovery'
  readonly issuer: URL
}

/** An OAuth 2 provider with three endpoints. */
export interface EndpointsMode {
  readonly kind: 'endpoints'
  readonly authUrl: URL
  readonly tokenUrl: URL
  readonly userinfoUrl: URL
  readonly issuerId: string
  readonly subjectClaim: string
}

/** The option `oauth`, validated. */
export interface ResolvedOAuth {
  readonly mode: DiscoveryMode | EndpointsMode
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string
  readonly providerName: string
  readonly timeoutMs: number
}

const url = () =>
  option.custom<URL>('an https URL, or http on localhost', (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const parsed = new URL(value)
    return isSecureUrl(parsed) ? parsed : undefined
  })

const RULES = {
  issuer: url(),
  authUrl: url(),
  tokenUrl: url(),
  userinfoUrl: url(),
  issuerId: option.string(),
  subjectClaim: option.string(/^[A-Za-z0-9_:/.-]{1,128}$/, 'the name of a member'),
  clientId: option.string().required(),
  clientSecret: { ...option.string().secret(), isRequired: true },
  scopes: option.strings(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a list of scopes'),
  providerName: option.string(),
  timeoutMs: option.integer(100, 30_000).default(5000),
}

/**
 * Validates the option `oauth`.
 *
 * @throws {OptionError}
 */
export function resolveOAuth(options: SettingsOAuth): ResolvedOAuth {
  const given = resolveOptions('createSettingsSessions', options, RULES, 'oauth.')
  const { clientId, timeoutMs } = given
  const mode = modeOf(given)
  const host = mode.kind === 'discovery' ? mode.issuer.host : mode.authUrl.host
  const scopes = given.scopes ?? (mode.kind === 'discovery' ? ['openid'] : [])
  if (mode.kind === 'discovery' && !scopes.includes('openid')) {
    throw wrong('scopes', 'must hold "openid" with an issuer: without it there is no id token')
  }
  return {
    mode,
    clientId,
    clientSecret: given.clientSecret as string,
    scope: scopes.join(' '),
    providerName: given.providerName ?? host,
    timeoutMs,
  }
}

type Given = ReturnType<typeof resolveOptions<typeof RULES>>

function modeOf(given: Given): ResolvedOAuth['mode'] {
  const { issuer, authUrl, tokenUrl, userinfoUrl, issuerId, subjectClaim } = given
  const endpoints = [authUrl, tokenUrl, userinfoUrl]
  if (issuer !== undefined) {
    if ([...endpoints, issuerId, subjectClaim].every((value) => value === undefined))
      return { kind: 'discovery', issuer }
    throw wrong('issuer', 'and endpoints exclude each other: discovery finds them')
  }
  if (authUrl === undefined || tokenUrl === undefined || userinfoUrl === undefined) {
    throw wrong('issuer', 'is required, or all of "authUrl", "tokenUrl" and "userinfoUrl"')
  }
  return {
    kind: 'endpoints',
    authUrl,
    tokenUrl,
    userinfoUrl,
    issuerId: issuerId ?? tokenUrl.origin,
    subjectClaim: subjectClaim ?? 'sub',
  }
}

function wrong(name: string, why: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    `oauth.${name}`,
    `createSettingsSessions: option "oauth.${name}" ${why}`,
  )
}
