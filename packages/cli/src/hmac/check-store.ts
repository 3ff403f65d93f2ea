import type { HmacSecretVersion } from '@countersign/hmac'
import { type Check, fail, pass, skip, warn } from '../checks.js'
import { CommandError } from '../command-error.js'
import type { Context } from '../context.js'
import { relativeTime } from '../durations.js'
import { stateOf } from './list.js'
import { foreignKeks, postgresBackend, unreadableText } from './postgres-backend.js'

const SOON_MS = 86_400_000
const LONG_PENDING_MS = 7 * 86_400_000
/** An unpinned lookup tries so many. */
const MOST_ACTIVE = 8

/** Whether the secrets in PostgreSQL can be asked and opened, and whether a caller is about to be locked out. */
export async function checkStore(context: Context): Promise<Check[]> {
  const { env } = context
  if ((env.DATABASE_URL ?? env.DATABASE_URL_FILE) === undefined) return [skip('hmac-store', 'DATABASE_URL is not set')]
  const id = 'hmac-store'
  try {
    const backend = await postgresBackend(context)
    try {
      const secrets = await backend.list()
      const foreign = await foreignKeks(backend)
      const readable =
        foreign.length === 0
          ? pass(id, `PostgreSQL answers: ${secrets.length} versions, all of them open`)
          : fail(id, unreadableText(foreign), 'Set COUNTERSIGN_HMAC_KEKS to the ring of the app; see "hmac list".')
      return [readable, ...checkCallers(secrets, Date.now())]
    } finally {
      await backend.close()
    }
  } catch (error) {
    const message = (error as Error).message
    const remedy = error instanceof CommandError ? 'Until then signed requests get 503.' : 'See the message.'
    return [fail(id, message, remedy)]
  }
}

function checkCallers(secrets: readonly HmacSecretVersion[], now: number): Check[] {
  const callers = [...new Set(secrets.map(({ caller }) => caller))]
  return callers.flatMap((caller) => {
    const id = `hmac-caller-${caller}`
    const own = secrets.filter((secret) => secret.caller === caller)
    const active = own.filter((secret) => stateOf(secret, now) === 'active')
    const lasting = active.filter(({ expiresAt }) => expiresAt === undefined || expiresAt - now > SOON_MS)
    const pending = own.find((secret) => stateOf(secret, now) === 'pending')
    const rotate = `Rotate: countersign hmac rotate ${caller}`
    if (active.length === 0) return [fail(id, 'no version is in force: every request is refused', rotate)]
    const checks: Check[] = []
    if (lasting.length === 0) {
      const end = Math.max(...active.map(({ expiresAt = 0 }) => expiresAt))
      checks.push(warn(id, `the last version ends ${relativeTime(end, now)}`, rotate))
    }
    if (active.length > MOST_ACTIVE) {
      checks.push(
        warn(
          id,
          `${active.length} versions are in force, and ${MOST_ACTIVE} are tried`,
          'Revoke those that nobody uses.',
        ),
      )
    }
    if (pending !== undefined && now - pending.createdAt > LONG_PENDING_MS) {
      const detail = `version ${pending.version} is pending since ${relativeTime(pending.createdAt, now)}`
      checks.push(warn(id, detail, `Put it in force: countersign hmac rotate ${caller}`))
    }
    const count = `${active.length} ${active.length === 1 ? 'version' : 'versions'} in force`
    return checks.length > 0 ? checks : [pass(id, count)]
  })
}
