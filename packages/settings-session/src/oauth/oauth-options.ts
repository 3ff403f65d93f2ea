import type { KeyObject } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { isGuid, isSecureUrl, option, resolveOptions } from '@countersign/core/gate-kit'
import { type ClientCredential, privateKeyIn } from './client-credential.js'
import { PRESET_NAMES, PRESETS } from './presets.js'
import type { ResponseMode, SettingsOAuth } from './settings-oauth.js'

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

/** How a person is asked to sign in again. */
export interface SignInAgain {
  readonly parameters: Readonly<Record<string, string>>
  /** The provider tells when the person signed in (`auth_time`): so many seconds ago at most. */
  readonly maxAgeSeconds: number | undefined
}

/** The option `oauth`, validated. */
export interface ResolvedOAuth {
  readonly mode: DiscoveryMode | EndpointsMode
  readonly clientId: string
  readonly credential: ClientCredential
  readonly responseMode: ResponseMode
  readonly again: SignInAgain
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

const TENANTS: readonly unknown[] = ['common', 'organizations', 'consumers']
const IDENTIFIER = /^[A-Za-z0-9._-]{1,128}$/

const RULES = {
  preset: option.oneOf(...PRESET_NAMES),
  tenant: option.custom<string>("the id of a tenant, a GUID, or 'common', 'organizations' or 'consumers'", (value) =>
    isGuid(value) || TENANTS.includes(value) ? (value as string) : undefined,
  ),
  teamId: option.string(IDENTIFIER, "a team's id"),
  issuer: url(),
  authUrl: url(),
  tokenUrl: url(),
  userinfoUrl: url(),
  issuerId: option.string(),
  subjectClaim: option.string(/^[A-Za-z0-9_:/.-]{1,128}$/, 'the name of a member, or a path with dots'),
  clientId: option.string().required(),
  clientSecret: option.string().secret(),
  privateKey: option
    .custom<KeyObject>('an RSA key of 2048 bits or more, or an EC key, PKCS #8 in PEM', privateKeyIn)
    .secret(),
  keyId: option.string(IDENTIFIER, "a key's id"),
  tokenAuthMethod: option.oneOf('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'),
  responseMode: option.oneOf('query', 'form_post'),
  scopes: option.strings(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a list of scopes'),
  providerName: option.string(),
  timeoutMs: option.integer(100, 30_000).default(5000),
}

type Given = ReturnType<typeof resolveOptions<typeof RULES>>

/** Seconds that a sign-in may be old when the person was asked to sign in again. */
const AGAIN_SECONDS = 60

/**
 * Validates the option `oauth`.
 *
 * @throws {OptionError}
 */
export function resolveOAuth(options: SettingsOAuth): ResolvedOAuth {
  const given = withPreset(resolve(options))
  const mode = modeOf(given)
  const isDiscovered = mode.kind === 'discovery'
  const scopes = given.scopes ?? (isDiscovered ? ['openid'] : [])
  if (isDiscovered && !scopes.includes('openid')) {
    throw wrong('scopes', 'must contain "openid" with an issuer: without it there is no id token')
  }
  const again = given.preset === undefined ? { prompt: 'login' } : PRESETS[given.preset].again
  return {
    mode,
    clientId: given.clientId,
    credential: credentialOf(given),
    responseMode: given.responseMode ?? 'query',
    again: { parameters: again, maxAgeSeconds: isDiscovered && given.preset === undefined ? AGAIN_SECONDS : undefined },
    scope: scopes.join(' '),
    providerName: given.providerName ?? (isDiscovered ? mode.issuer.host : mode.authUrl.host),
    timeoutMs: given.timeoutMs,
  }
}

function resolve(options: unknown): Given {
  return resolveOptions('createSettingsSessions', options, RULES, 'oauth.')
}

/** What a preset leaves open is the app's to say; where the provider is, it is not. */
function withPreset(given: Given): Given {
  const { preset, tenant, teamId } = given
  if (tenant !== undefined && preset !== 'microsoft') throw wrong('tenant', "is for preset 'microsoft'")
  if (teamId !== undefined && preset !== 'apple') throw wrong('teamId', "is for preset 'apple'")
  if (preset === undefined) return given
  const place = PLACE.find((name) => given[name] !== undefined)
  if (place !== undefined)
    throw wrong(place, `and "oauth.preset" exclude each other: '${preset}' says where its provider is`)
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const known = resolve({ clientId: given.clientId, ...PRESETS[preset].options })
  const issuer = tenant === undefined ? known.issuer : new URL(`https://login.microsoftonline.com/${tenant}/v2.0`)
  return { ...known, issuer, ...own }
}

const PLACE = ['issuer', 'authUrl', 'tokenUrl', 'userinfoUrl', 'issuerId', 'subjectClaim'] as const

/** A secret or a key that no method uses was meant for something: it fails the start, as a missing one does. */
function credentialOf({
  preset,
  clientSecret,
  privateKey,
  keyId,
  teamId,
  tokenAuthMethod,
  issuer,
}: Given): ClientCredential {
  const method = tokenAuthMethod ?? (privateKey === undefined ? undefined : 'private_key_jwt')
  if (preset === 'apple' && tokenAuthMethod === undefined && clientSecret === undefined) {
    if (privateKey === undefined)
      throw missing('privateKey', 'with preset \'apple\', or a "clientSecret" that it signed')
    if (keyId === undefined || teamId === undefined) {
      throw missing(keyId === undefined ? 'keyId' : 'teamId', 'with the key of Apple')
    }
    return { kind: 'signed_secret', key: privateKey, keyId, teamId }
  }
  if (keyId !== undefined && privateKey === undefined) throw missing('privateKey', 'with "oauth.keyId"')
  if (method === 'private_key_jwt') {
    if (privateKey === undefined) throw missing('privateKey', "with tokenAuthMethod 'private_key_jwt'")
    if (clientSecret !== undefined) throw wrong('clientSecret', 'and "oauth.privateKey" exclude each other')
    return { kind: 'key', key: privateKey, keyId }
  }
  if (privateKey !== undefined) throw wrong('privateKey', `is not used with tokenAuthMethod '${method}'`)
  if (method === 'none') {
    if (clientSecret !== undefined) throw wrong('clientSecret', "is not used with tokenAuthMethod 'none'")
    return { kind: 'none' }
  }
  if (clientSecret === undefined) {
    throw missing('clientSecret', `unless there is a "oauth.privateKey", or tokenAuthMethod 'none' for a public client`)
  }
  return {
    kind: 'secret',
    secret: clientSecret,
    method: method ?? (issuer === undefined ? 'client_secret_post' : undefined),
  }
}

function modeOf(given: Given): ResolvedOAuth['mode'] {
  const { issuer, authUrl, tokenUrl, userinfoUrl, issuerId, subjectClaim } = given
  const endpoints = [authUrl, tokenUrl, userinfoUrl]
  if (issuer !== undefined) {
    if ([...endpoints, issuerId, subjectClaim].every((value) => value === undefined))
      return { kind: 'discovery', issuer }
    throw wrong('issuer', 'and endpoints exclude each other: discovery finds them')
  }
  if (authUrl === undefined || tokenUrl === undefined || userinfoUrl === undefined) {
    throw wrong('issuer', 'is required, or a "preset", or all of "authUrl", "tokenUrl" and "userinfoUrl"')
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

function missing(name: string, when: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    `oauth.${name}`,
    `createSettingsSessions: option "oauth.${name}" is required ${when}`,
  )
}

function wrong(name: string, why: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    `oauth.${name}`,
    `createSettingsSessions: option "oauth.${name}" ${why}`,
  )
}
