import { OptionError, type Environment } from '@countersign/core'
import { nearest, readVariable } from '@countersign/core/gate-kit'
import type { SettingsOAuth } from './oauth-options.js'

type Setting = Exclude<keyof SettingsOAuth, 'timeoutMs'>

const NAMES: Readonly<Record<Setting, string>> = {
  issuer: 'SETTINGS_OAUTH_ISSUER',
  authUrl: 'SETTINGS_OAUTH_AUTH_URL',
  tokenUrl: 'SETTINGS_OAUTH_TOKEN_URL',
  userinfoUrl: 'SETTINGS_OAUTH_USERINFO_URL',
  issuerId: 'SETTINGS_OAUTH_ISSUER_ID',
  subjectClaim: 'SETTINGS_OAUTH_SUBJECT_CLAIM',
  clientId: 'SETTINGS_OAUTH_CLIENT_ID',
  clientSecret: 'SETTINGS_OAUTH_CLIENT_SECRET',
  scopes: 'SETTINGS_OAUTH_SCOPES',
  providerName: 'SETTINGS_OAUTH_PROVIDER_NAME',
}

export interface SettingsOAuthFromEnvOptions {
  /** Other names for the variables. */
  readonly names?: Partial<Readonly<Record<Setting, string>>>
}

/**
 * The provider that the environment names: `SETTINGS_OAUTH_ISSUER`, or `_AUTH_URL`, `_TOKEN_URL` and `_USERINFO_URL`;
 * with `_CLIENT_ID` and `_CLIENT_SECRET` (or `_CLIENT_SECRET_FILE`). Undefined when none of the variables is set.
 *
 * @throws {OptionError} when a part is set, or a variable is misspelt: half a configuration must not become none.
 */
export function settingsOAuthFromEnv(
  env: Environment,
  options: SettingsOAuthFromEnvOptions = {},
): SettingsOAuth | undefined {
  const names = { ...NAMES, ...options.names }
  refuseMisspelt(env, Object.values(names))
  const entries = Object.entries(names).map(([setting, name]) => [setting, readVariable(env, name)] as const)
  const given = Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<
    Record<Setting, string>
  >
  if (Object.keys(given).length === 0) return undefined
  for (const [setting, value] of Object.entries(given)) {
    if (value === '') throw refusal(names[setting as Setting], 'is set to nothing')
  }
  const required: Setting[] = ['clientId', 'clientSecret']
  if (given.issuer === undefined) {
    const hasEndpoint = given.authUrl ?? given.tokenUrl ?? given.userinfoUrl
    required.push(
      ...(hasEndpoint === undefined ? (['issuer'] as const) : (['authUrl', 'tokenUrl', 'userinfoUrl'] as const)),
    )
  }
  const missing = required.filter((setting) => given[setting] === undefined).map((setting) => names[setting])
  if (missing.length > 0) {
    const present = Object.keys(given).map((setting) => names[setting as Setting])
    throw refusal(
      missing[0] as string,
      `is missing (all missing: ${missing.join(', ')}), while ${present.join(', ')} is set`,
    )
  }
  const { scopes, ...rest } = given
  return {
    ...(rest as Omit<SettingsOAuth, 'scopes'>),
    ...(scopes === undefined ? {} : { scopes: scopes.split(/[ ,]+/).filter((scope) => scope !== '') }),
  }
}

function refuseMisspelt(env: Environment, known: readonly string[]): void {
  const all = [...known, ...Object.values(NAMES)].flatMap((name) => [name, `${name}_FILE`])
  const unknown = Object.keys(env).find((name) => name.startsWith('SETTINGS_OAUTH_') && !all.includes(name))
  if (unknown === undefined) return
  const near = nearest(unknown, all)
  throw refusal(
    unknown,
    near === undefined ? 'is not a known variable' : `is not a known variable: did you mean ${near}?`,
  )
}

function refusal(name: string, why: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `settingsOAuthFromEnv: ${name} ${why}`)
}
