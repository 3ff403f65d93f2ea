import { statSync } from 'node:fs'
import type { Environment } from '@countersign/core'
import { nearest, readBoolean, readVariable } from '@countersign/core/gate-kit'
import { type Check, fail, pass, skip, warn } from '../checks.js'

/** Variables that the packages and the command read by name. */
const NAMES = [
  'COUNTERSIGN_AUDIT_JSONL',
  'COUNTERSIGN_HMAC_IMPORT_KEK',
  'COUNTERSIGN_HMAC_KEKS',
  'COUNTERSIGN_HMAC_NAMESPACE',
  'COUNTERSIGN_HMAC_REQUIRE',
  'COUNTERSIGN_REDIS_NAMESPACE',
  'COUNTERSIGN_TOKEN',
]
/** Variables that go on with a caller's name. */
const PREFIXES = ['COUNTERSIGN_HMAC_SECRET_', 'COUNTERSIGN_HMAC_LEGACY_', 'COUNTERSIGN_HMAC_REQUIRE_']

/** Variables that are misspelt, set by half, or in files that others can read. */
export async function checkEnvironment(env: Environment): Promise<Check[]> {
  const own = Object.keys(env).filter((name) => name.startsWith('COUNTERSIGN_') && env[name] !== undefined)
  const checks = [
    ...own.flatMap(checkName),
    ...own.flatMap((name) => checkValue(env, name)),
    ...own.filter((name) => name.endsWith('_FILE')).flatMap((name) => checkFile(name, env[name] as string)),
    ...checkHalves(env),
    await checkSettingsOAuth(env),
  ]
  const isWell = checks.every(({ status }) => status === 'skip' || status === 'pass')
  return isWell
    ? [pass('environment', `${own.length} COUNTERSIGN_… variables, none misspelt or set by half`), ...checks]
    : checks
}

function checkName(name: string): Check[] {
  const base = name.replace(/_FILE$/, '')
  if (NAMES.includes(base) || PREFIXES.some((prefix) => base.startsWith(prefix))) return []
  const near = nearest(base, [...NAMES, ...PREFIXES])
  const remedy = near === undefined ? 'Nothing reads it: remove it.' : `Did you mean ${near}?`
  return [warn('environment-name', `${name} is not a known variable`, remedy)]
}

function checkValue(env: Environment, name: string): Check[] {
  const base = name.replace(/_FILE$/, '')
  try {
    const value = base.startsWith('COUNTERSIGN_HMAC_REQUIRE') ? readBoolean(env, base) : readVariable(env, base)
    if (value !== '') return []
    return [fail('environment-value', `${name} is set to nothing`, 'Remove it, or give it a value.')]
  } catch (error) {
    // Set both ways it would be found under both names.
    const isTwin = name.endsWith('_FILE') && env[base] !== undefined
    return isTwin ? [] : [fail('environment-value', (error as Error).message, 'The app does not start with it.')]
  }
}

function checkFile(name: string, file: string): Check[] {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode
  if (mode === undefined || (mode & 0o077) === 0 || process.platform === 'win32') return []
  const words = `${name}: ${file} can be read by others (mode ${(mode & 0o777).toString(8)})`
  return [warn('environment-file', words, `Keep it to its owner: chmod 600 ${file}`)]
}

/** What means something only together. */
function checkHalves(env: Environment): Check[] {
  const isSet = (name: string) => (env[name] ?? env[`${name}_FILE`]) !== undefined
  const isPostgres = /^postgres(ql)?:/.test(env.DATABASE_URL ?? '')
  if (isSet('COUNTERSIGN_HMAC_KEKS') && !isSet('DATABASE_URL')) {
    return [
      warn(
        'environment-half',
        'COUNTERSIGN_HMAC_KEKS is set, and DATABASE_URL is not',
        'The ring opens what is in the database: set both.',
      ),
    ]
  }
  if (!isSet('COUNTERSIGN_HMAC_KEKS') && isPostgres && isSet('COUNTERSIGN_HMAC_NAMESPACE')) {
    return [
      warn(
        'environment-half',
        'COUNTERSIGN_HMAC_NAMESPACE is set, and COUNTERSIGN_HMAC_KEKS is not',
        'Set both, or neither.',
      ),
    ]
  }
  return []
}

async function checkSettingsOAuth(env: Environment): Promise<Check> {
  const id = 'settings-oauth'
  const { settingsOAuthFromEnv } = await import('@countersign/settings-session')
  try {
    const found = settingsOAuthFromEnv(env)
    return found === undefined ? skip(id, 'no SETTINGS_OAUTH_… is set') : pass(id, 'SETTINGS_OAUTH_… is complete')
  } catch (error) {
    return fail(id, (error as Error).message, 'Set all of it, or none: the app does not start with a part.')
  }
}
