import { statSync } from 'node:fs'
import type { Environment } from '@countersign/core'
import { nearest, readBoolean, readVariable } from '@countersign/core/gate-kit'
import { settingsOAuthFromEnv } from '@countersign/settings-session'
import { type Check, caution, fail, pass, skip } from '../checks.js'

/** Variables that the packages and the command read by name. */
const NAMES = [
  'COUNTERSIGN_AUDIT_JSONL',
  'COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR',
  'COUNTERSIGN_HMAC_IMPORT_KEK',
  'COUNTERSIGN_HMAC_KEKS',
  'COUNTERSIGN_HMAC_NAMESPACE',
  'COUNTERSIGN_HMAC_REQUIRE',
  'COUNTERSIGN_HMAC_SCHEMA',
  'COUNTERSIGN_HMAC_TABLE',
  'COUNTERSIGN_REDIS_NAMESPACE',
  'COUNTERSIGN_TOKEN',
]
/** Variables that end with the name of a caller. */
const PREFIXES = ['COUNTERSIGN_HMAC_SECRET_', 'COUNTERSIGN_HMAC_LEGACY_', 'COUNTERSIGN_HMAC_REQUIRE_']

/** Finds variables that are misspelt or incomplete, and files that others can read. */
export async function checkEnvironment(env: Environment): Promise<Check[]> {
  const own = Object.keys(env).filter((name) => name.startsWith('COUNTERSIGN_') && env[name] !== undefined)
  const checks = [
    ...own.flatMap(checkName),
    ...own.flatMap((name) => checkValue(env, name)),
    ...own.filter((name) => name.endsWith('_FILE')).flatMap((name) => checkFile(name, env[name] as string)),
    ...checkHalves(env),
    checkSettingsOAuth(env),
  ]
  if (checks.some(({ status }) => status === 'warn' || status === 'fail')) return checks
  return [pass('environment', `${own.length} COUNTERSIGN_… variables, none misspelt or incomplete`), ...checks]
}

function checkName(name: string): Check[] {
  const base = name.replace(/_FILE$/, '')
  if (NAMES.includes(base) || PREFIXES.some((prefix) => base.startsWith(prefix))) return []
  const ending = base.split('_').slice(3).join('_')
  const found = nearest(base, [...NAMES, ...PREFIXES.map((prefix) => `${prefix}${ending}`)])
  const near = NAMES.includes(found ?? '') ? found : PREFIXES.find((prefix) => found?.startsWith(prefix))
  const remedy = near === undefined ? 'Nothing reads it: remove it.' : `Did you mean ${near}?`
  return [caution('environment-name', `${name} is not a known variable`, remedy)]
}

function checkValue(env: Environment, name: string): Check[] {
  const base = name.replace(/_FILE$/, '')
  try {
    const value = base.startsWith('COUNTERSIGN_HMAC_REQUIRE') ? readBoolean(env, base) : readVariable(env, base)
    if (value !== '') return []
    return [fail('environment-value', `${name} is empty`, 'Remove it, or give it a value.')]
  } catch (error) {
    // When both forms are set, one check is enough.
    const isTwin = name.endsWith('_FILE') && env[base] !== undefined
    return isTwin ? [] : [fail('environment-value', (error as Error).message, 'The app does not start with it.')]
  }
}

function checkFile(name: string, file: string): Check[] {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode
  if (mode === undefined || (mode & 0o077) === 0 || process.platform === 'win32') return []
  const words = `${name}: others can read ${file} (mode ${(mode & 0o777).toString(8)})`
  return [caution('environment-file', words, `Run: chmod 600 ${file}`)]
}

/** Variables that need each other. */
function checkHalves(env: Environment): Check[] {
  const id = 'environment-half'
  const isSet = (name: string) => (env[name] ?? env[`${name}_FILE`]) !== undefined
  const isPostgres = /^postgres(ql)?:/.test(env.DATABASE_URL ?? '')
  if (isSet('COUNTERSIGN_HMAC_KEKS') && !isSet('DATABASE_URL')) {
    const remedy = 'The keys decrypt the secrets in the database: set both.'
    return [caution(id, 'COUNTERSIGN_HMAC_KEKS is set, and DATABASE_URL is not', remedy)]
  }
  if (!isSet('COUNTERSIGN_HMAC_KEKS') && isPostgres && isSet('COUNTERSIGN_HMAC_NAMESPACE')) {
    const words = 'COUNTERSIGN_HMAC_NAMESPACE is set, and COUNTERSIGN_HMAC_KEKS is not'
    return [caution(id, words, 'Set both, or neither.')]
  }
  return []
}

function checkSettingsOAuth(env: Environment): Check {
  const id = 'settings-oauth'
  try {
    const found = settingsOAuthFromEnv(env, { required: false })
    return found === undefined
      ? skip(id, 'no SETTINGS_OAUTH_… variable is set')
      : pass(id, 'SETTINGS_OAUTH_… is complete')
  } catch (error) {
    return fail(id, (error as Error).message, 'Set all of them, or none: the app does not start with some.')
  }
}
