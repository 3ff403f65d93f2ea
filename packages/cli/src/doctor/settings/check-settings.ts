import { randomBytes } from 'node:crypto'
import { isSecureUrl, isUnavailable } from '@countersign/core/gate-kit'
import { createSettingsSessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { type Check, fail } from '../../checks.js'
import { type NamespaceOption, withRedis } from '../../connect/redis.js'
import type { Context } from '../../context.js'
import { CommandError } from '../../errors.js'
import { checkGate, followLink, sendForm } from './check-link.js'
import { checkProvider } from './check-provider.js'
import { Visitor } from './visitor.js'

/** What a visit needs. */
type Visited = Pick<Context, 'env' | 'audit' | 'signal'>

/** Long enough for a provider that is slow, and short enough to be gone soon if this process is killed. */
const LINK_TTL_SECONDS = 120

/**
 * Makes a link for a person who does not exist, and opens it at `baseUrl` as a browser does, through everything that is in
 * front of the app. What was made is revoked at the end.
 */
export async function checkSettings(context: Visited, baseUrl: URL, options: NamespaceOption): Promise<Check[]> {
  const { audit, signal } = context
  const checks: Check[] = []
  const add = (check: Check) => void checks.push(check)
  const base = new URL(baseUrl.pathname.replace(/(?<=.)\/+$/, ''), baseUrl.origin)
  if (!isSecureUrl(base)) {
    const words = `${base.origin} is not https: browsers keep none of the cookies`
    return [fail('settings-url', words, 'Use the public address, with https.')]
  }
  try {
    await withRedis(context, options, async (redis, storeSettings) => {
      const store = redisSessions(redis, storeSettings)
      const own = { baseUrl: base.href, linkTtlSeconds: LINK_TTL_SECONDS, confirmCode: true }
      const settings = createSettingsSessions({ ...own, store, audit })
      const user = { platform: 'countersign-doctor', userId: randomBytes(8).toString('hex') }
      try {
        const issued = await settings.issueLink({ ...user, display: { purpose: 'countersign doctor' } })
        const link = { url: '', code: '' }
        await settings.deliver(issued, (url, code = '') => {
          Object.assign(link, { url: url.reveal('deliver-to-user'), code })
        })
        await visit(context, base, link, add).catch((error: unknown) => {
          signal.throwIfAborted()
          if (!(error instanceof CommandError)) throw error
          add(fail('settings-url', error.message, 'The remaining checks were skipped.'))
        })
      } finally {
        await settings.revokeAll(user)
      }
    })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof CommandError) && !isUnavailable(error)) throw error
    add(
      fail(
        'settings-store',
        (error as Error).message,
        'Links cannot be issued until then: the settings were not checked.',
      ),
    )
  }
  return checks
}

interface Link {
  readonly url: string
  readonly code: string
}

async function visit({ env, signal }: Visited, base: URL, { url, code }: Link, add: (check: Check) => void) {
  const visitor = new Visitor(signal)
  const held = await followLink(visitor, base, url, add)
  if (held === undefined || !(await sendForm(visitor, base, held, add))) return
  add(await checkGate(visitor, base, `/countersign-doctor-${randomBytes(8).toString('hex')}`))
  await checkProvider(visitor, base, held, code, env.SETTINGS_OAUTH_ISSUER, add)
}
