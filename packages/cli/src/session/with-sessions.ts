import type { SettingsSessions, SettingsSessionsOptions, SettingsUser } from '@countersign/settings-session'
import { namespaceOf } from '../connect/namespace.js'
import type { NamespaceOption } from '../connect/namespace-option.js'
import { openRedis } from '../connect/redis.js'
import type { Context } from '../context.js'
import type { UserOptions } from './user-options.js'

/** The person that the arguments name. */
export function userOf(platform: string, userId: string, { team }: UserOptions): SettingsUser {
  return { platform, userId, ...(team === undefined ? {} : { team }) }
}

/** Opens the links and sessions in Redis, hands them to `work` and closes them. */
export async function withSessions<T>(
  context: Context,
  options: NamespaceOption,
  settings: Omit<SettingsSessionsOptions, 'store' | 'audit'>,
  work: (sessions: SettingsSessions) => Promise<T>,
): Promise<T> {
  const connection = await openRedis(context.env)
  try {
    const [{ createSettingsSessions }, { redisSessions }] = await Promise.all([
      import('@countersign/settings-session'),
      import('@countersign/settings-session/redis'),
    ])
    const store = redisSessions(connection.redis, { ...namespaceOf(context.env, options), commandTimeoutMs: 5000 })
    return await work(createSettingsSessions({ ...settings, store, audit: context.audit }))
  } finally {
    connection.close()
  }
}

/** What needs no address of its own: listing and revoking. */
export const NO_ADDRESS = { baseUrl: 'http://localhost/settings' }
