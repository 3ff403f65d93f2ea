import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import { secretsFromEnv } from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { type HmacSecretVersion, MAX_TRIED_VERSIONS } from '@countersign/hmac/store'
import { type Check, caution, fail, pass, skip } from '../checks.js'
import type { Context } from '../context.js'
import { relativeTime } from '../durations.js'
import { CommandError } from '../errors.js'
import { postgresBackend, unreadableText } from './postgres-backend.js'
import { stateOf } from './secrets.js'
import { callersIn, secretVariable } from './variables.js'

/** Checks the secrets and key-encryption keys of the environment: present, long enough, copied without damage. */
export async function checkKeys(env: Environment): Promise<Check[]> {
  const callers = callersIn(env)
  const secrets =
    callers.length === 0
      ? [skip('hmac-secrets', `no ${secretVariable('<caller>')} is set`)]
      : (await Promise.all(callers.map((caller) => checkCaller(env, caller)))).flat()
  return [...secrets, checkKeks(env)]
}

async function checkCaller(env: Environment, caller: string): Promise<Check[]> {
  const id = `hmac-secret-${caller}`
  try {
    const versions = await secretsFromEnv(env, { callers: [caller] }).list(caller)
    return versions.map(({ version, key }) => {
      const text = key?.export().toString('utf8') ?? ''
      const name = `version ${version} of "${caller}"`
      const flaw = flawOf(text)
      return flaw === undefined
        ? pass(id, `${name}: ${Buffer.byteLength(text)} bytes`)
        : caution(id, `${name} ${flaw}`, 'Both sides need exactly the same bytes: copy it again, or rotate.')
    })
  } catch (error) {
    return [fail(id, (error as Error).message, 'The app does not start with it: correct it, or rotate.')]
  }
}

/** Signs of a damaged copy or a weak secret. */
function flawOf(text: string): string | undefined {
  if (/^\s|\s$/.test(text)) return 'begins or ends with white space'
  if (/^(["'`]).*\1$/.test(text)) return 'is in quotes, which are part of it'
  if (/change.?me|secret|password|example|placeholder|xxxx/i.test(text)) return 'looks like a placeholder'
  if (new Set(text).size < 12) return 'has few different characters: it may be guessed'
  return undefined
}

function checkKeks(env: Environment): Check {
  const id = 'hmac-keks'
  try {
    const keks = readVariable(env, 'COUNTERSIGN_HMAC_KEKS')
    if (keks === undefined) return skip(id, 'COUNTERSIGN_HMAC_KEKS is not set')
    postgresSecrets({ query: () => Promise.reject(new Error('not connected')) }, { keks })
    const ids = keks.split(',').map((entry) => entry.split(':', 1)[0]?.trim())
    return pass(id, `the ring holds ${ids.join(', ')}; the first one encrypts`)
  } catch (error) {
    return fail(id, (error as Error).message, 'Generate a key with "countersign hmac generate --kek-id k1".')
  }
}

const SOON_MS = 86_400_000
const LONG_PENDING_MS = 7 * 86_400_000

/** Checks that PostgreSQL answers, that its secrets can be decrypted, and that no caller is about to be locked out. */
export async function checkStore(context: Context): Promise<Check[]> {
  const { DATABASE_URL, DATABASE_URL_FILE } = context.env
  if ((DATABASE_URL ?? DATABASE_URL_FILE) === undefined) return [skip('hmac-store', 'DATABASE_URL is not set')]
  const id = 'hmac-store'
  try {
    const backend = await postgresBackend(context)
    try {
      const secrets = await backend.list()
      const foreign = await backend.foreignKeks()
      const readable =
        foreign.length === 0
          ? pass(id, `PostgreSQL answers: ${secrets.length} versions, all of them readable`)
          : fail(id, unreadableText(foreign), 'Set COUNTERSIGN_HMAC_KEKS to the ring of the app; see "hmac list".')
      const callers = [...new Set(secrets.map(({ caller }) => caller))]
      const now = Date.now()
      const versions = (name: string) => secrets.filter(({ caller }) => caller === name)
      return [readable, ...callers.flatMap((caller) => checkVersions(caller, versions(caller), now))]
    } finally {
      await backend.close()
    }
  } catch (error) {
    const remedy = error instanceof CommandError ? 'Signed requests get 503 until then.' : 'See the message.'
    return [fail(id, (error as Error).message, remedy)]
  }
}

function checkVersions(caller: string, versions: readonly HmacSecretVersion[], now: number): Check[] {
  const id = `hmac-caller-${caller}`
  const active = versions.filter((secret) => stateOf(secret, now) === 'active')
  const lasting = active.filter(({ expiresAt }) => expiresAt === undefined || expiresAt - now > SOON_MS)
  const pending = versions.find((secret) => stateOf(secret, now) === 'pending')
  const rotate = `Rotate: countersign hmac rotate ${caller}`
  if (active.length === 0) return [fail(id, 'no version is active: every request is refused', rotate)]
  const checks: Check[] = []
  if (lasting.length === 0) {
    const end = Math.max(...active.map(({ expiresAt = 0 }) => expiresAt))
    checks.push(caution(id, `the last version expires ${relativeTime(end, now)}`, rotate))
  }
  if (active.length > MAX_TRIED_VERSIONS) {
    const words = `${active.length} versions are active, and only ${MAX_TRIED_VERSIONS} are tried`
    checks.push(caution(id, words, 'Revoke those that are not in use.'))
  }
  if (pending !== undefined && now - pending.createdAt > LONG_PENDING_MS) {
    const detail = `version ${pending.version} has been pending since ${relativeTime(pending.createdAt, now)}`
    checks.push(caution(id, detail, `Activate it: countersign hmac rotate ${caller}`))
  }
  const count = `${active.length} ${active.length === 1 ? 'version is' : 'versions are'} active`
  return checks.length > 0 ? checks : [pass(id, count)]
}
