import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import { secretsFromEnv } from '@countersign/hmac'
import { type Check, fail, pass, skip, warn } from '../checks.js'
import { callersIn } from './environment-backend.js'
import { secretVariable } from './secret-variable.js'

/** The secrets and key-encryption keys of the environment: present, long enough, and not garbled by a copy. */
export async function checkKeys(env: Environment): Promise<Check[]> {
  const callers = callersIn(env)
  const secrets =
    callers.length === 0
      ? [skip('hmac-secrets', `no ${secretVariable('<caller>')} is set`)]
      : callers.flatMap((caller) => checkCaller(env, caller))
  return [...secrets, await checkKeks(env)]
}

function checkCaller(env: Environment, caller: string): Check[] {
  const id = `hmac-secret-${caller}`
  try {
    const versions = secretsFromEnv(env, { callers: [caller] }).list(caller) as readonly {
      version: number
      key: { export(): Buffer }
    }[]
    return versions.map(({ version, key }) => {
      const text = key.export().toString('utf8')
      const name = `version ${version} of "${caller}"`
      const flaw = flawOf(text)
      return flaw === undefined
        ? pass(id, `${name}: ${Buffer.byteLength(text)} bytes`)
        : warn(id, `${name} ${flaw}`, 'Both sides must have the very same bytes: copy it again, or rotate.')
    })
  } catch (error) {
    return [fail(id, (error as Error).message, 'The app does not start with it: correct it, or rotate.')]
  }
}

/** What a secret looks like that was copied badly or made up. */
function flawOf(text: string): string | undefined {
  if (/^\s|\s$/.test(text)) return 'begins or ends with white space'
  if (/^(["'`]).*\1$/.test(text)) return 'stands in quotes, which are a part of it'
  if (/change.?me|secret|password|example|placeholder|xxxx/i.test(text)) return 'reads like a placeholder'
  if (new Set(text).size < 12) return 'has few different characters: it may be guessed'
  return undefined
}

async function checkKeks(env: Environment): Promise<Check> {
  const id = 'hmac-keks'
  try {
    const keks = readVariable(env, 'COUNTERSIGN_HMAC_KEKS')
    if (keks === undefined) return skip(id, 'COUNTERSIGN_HMAC_KEKS is not set')
    const { postgresSecrets } = await import('@countersign/hmac/postgres')
    postgresSecrets({ query: () => Promise.reject(new Error('not asked')) }, { keks })
    const ids = keks.split(',').map((entry) => entry.split(':', 1)[0]?.trim())
    return pass(id, `the ring holds ${ids.join(', ')}; the first one seals`)
  } catch (error) {
    return fail(id, (error as Error).message, 'Make a key with "countersign hmac generate --kek-id k1".')
  }
}
