import { type Environment, OptionError } from '@countersign/core'
import {
  isProduction,
  isVariableName,
  option,
  readVariables,
  refuseStrayVariables,
  resolveOptions,
} from '@countersign/core/gate-kit'
import type { SettingsOAuth } from './settings-oauth.js'

type Setting = Exclude<keyof SettingsOAuth, 'timeoutMs'>

const PREFIX = 'SETTINGS_OAUTH_'
const NAMES: Readonly<Record<Setting, string>> = {
  preset: 'SETTINGS_OAUTH_PRESET',
  tenant: 'SETTINGS_OAUTH_TENANT',
  teamId: 'SETTINGS_OAUTH_TEAM_ID',
  issuer: 'SETTINGS_OAUTH_ISSUER',
  authUrl: 'SETTINGS_OAUTH_AUTH_URL',
  tokenUrl: 'SETTINGS_OAUTH_TOKEN_URL',
  userinfoUrl: 'SETTINGS_OAUTH_USERINFO_URL',
  issuerId: 'SETTINGS_OAUTH_ISSUER_ID',
  subjectClaim: 'SETTINGS_OAUTH_SUBJECT_CLAIM',
  clientId: 'SETTINGS_OAUTH_CLIENT_ID',
  clientSecret: 'SETTINGS_OAUTH_CLIENT_SECRET',
  privateKey: 'SETTINGS_OAUTH_PRIVATE_KEY',
  keyId: 'SETTINGS_OAUTH_KEY_ID',
  tokenAuthMethod: 'SETTINGS_OAUTH_TOKEN_AUTH_METHOD',
  responseMode: 'SETTINGS_OAUTH_RESPONSE_MODE',
  scopes: 'SETTINGS_OAUTH_SCOPES',
  providerName: 'SETTINGS_OAUTH_PROVIDER_NAME',
}
const OWNER = 'settingsOAuthFromEnv'
const RULES = {
  required: option.boolean(),
  names: option.port<NonNullable<SettingsOAuthFromEnvOptions['names']>>('an object of setting: variable'),
}
const NAME = option.custom<string>('the name of a variable', (value) => (isVariableName(value) ? value : undefined))
const NAME_RULES = Object.fromEntries(Object.keys(NAMES).map((setting) => [setting, NAME]))
const ENDPOINTS: readonly Setting[] = ['authUrl', 'tokenUrl', 'userinfoUrl']

/** Options of {@link settingsOAuthFromEnv}. */
export interface SettingsOAuthFromEnvOptions {
  /**
   * Whether the start fails when none of the variables is set. Without a provider, anyone who has a link is its user. Default:
   * in production (`NODE_ENV` of this environment).
   */
  readonly required?: boolean | undefined
  /** Other names for the variables. */
  readonly names?: { readonly [S in Setting]?: string | undefined } | undefined
}

/**
 * The provider that the environment names: `SETTINGS_OAUTH_PRESET`, or `_ISSUER`, or `_AUTH_URL`, `_TOKEN_URL` and
 * `_USERINFO_URL`; with `_CLIENT_ID` and `_CLIENT_SECRET`, or `_PRIVATE_KEY`, or `_TOKEN_AUTH_METHOD=none` (each of them may
 * be in a file: `_CLIENT_SECRET_FILE`). Undefined when none of the variables is set and
 * `required` allows it.
 *
 * @throws {OptionError} when a part is missing, or a variable is misspelt: half a configuration must not become none; and
 * when all of it is missing in production.
 */
export function settingsOAuthFromEnv(
  env: Environment,
  options: SettingsOAuthFromEnvOptions = {},
): SettingsOAuth | undefined {
  const { required, names: given = {} } = resolveOptions(OWNER, options, RULES)
  const others = Object.entries(resolveOptions(OWNER, given, NAME_RULES, 'names.')).filter(
    ([, name]) => name !== undefined,
  )
  const names = { ...NAMES, ...(Object.fromEntries(others) as Partial<Record<Setting, string>>) }
  refuseStrayVariables(OWNER, env, PREFIX, [...Object.values(names), ...Object.values(NAMES)])
  const values = readVariables(env, names)
  const present = Object.keys(values) as Setting[]
  if (present.length === 0) {
    if (required ?? isLive(env)) throw absent(names, required)
    return undefined
  }
  const missing = requiredWith(present, values.tokenAuthMethod === 'none').filter(
    (setting) => !Object.hasOwn(values, setting),
  )
  if (missing.length > 0)
    throw incomplete(
      missing.map((setting) => names[setting]),
      present.map((setting) => names[setting]),
    )
  const { scopes, ...rest } = { scopes: undefined, ...values }
  return {
    // Values that are none of a setting's fail at creation, by their option.
    ...(rest as Omit<SettingsOAuth, 'scopes'>),
    ...(scopes === undefined ? {} : { scopes: scopes.split(/[ ,]+/).filter((scope) => scope !== '') }),
  }
}

/** Where the variables that were given do not say what is in production, those of the process do. */
function isLive(env: Environment): boolean {
  return isProduction(env) || (!Object.hasOwn(env, 'NODE_ENV') && isProduction(process.env))
}

/** The settings that a configuration with these needs. */
function requiredWith(present: readonly Setting[], isPublic: boolean): readonly Setting[] {
  const proof: readonly Setting[] = isPublic || present.includes('privateKey') ? [] : ['clientSecret']
  const client: readonly Setting[] = ['clientId', ...proof]
  if (present.includes('preset') || present.includes('issuer')) return client
  return [...client, ...(ENDPOINTS.some((endpoint) => present.includes(endpoint)) ? ENDPOINTS : (['issuer'] as const))]
}

function absent(
  { preset, issuer, clientId, clientSecret }: Readonly<Record<Setting, string>>,
  required?: boolean,
): OptionError {
  const why = required === undefined ? ' in production' : ''
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    issuer,
    `${OWNER}: no provider variable is set${why}, so anyone who has a link would be its user. ` +
      `Set ${preset} or ${issuer}, ${clientId} and ${clientSecret}; or pass required: false, if the link is enough`,
  )
}

function incomplete(missing: readonly string[], present: readonly string[]): OptionError {
  const [first = ''] = missing
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    first,
    `${OWNER}: ${missing.join(', ')} must be set, because ${present.join(', ')} is set`,
  )
}
