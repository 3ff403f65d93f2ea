import { memoryReplay, type ReplayStore } from '@countersign/core'
import { memoryCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { adviseOnConnection, redisReplay } from '@countersign/redis'
import { memorySessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { Redis } from 'ioredis'

/** Where the gates of the demo keep what they must remember. */
export interface State {
  readonly where: string
  readonly replay: ReplayStore
  readonly credentials: McpCredentialStore
  readonly sessions: SettingsStore
  close(): Promise<void>
}

/** In memory, or in Redis when `redisUrl` is given. */
export async function createState(redisUrl: string | undefined): Promise<State> {
  if (redisUrl === undefined) {
    return {
      where: 'in memory (set REDIS_URL to use Redis)',
      replay: memoryReplay(),
      credentials: memoryCredentials(),
      sessions: memorySessions(),
      close: async () => undefined,
    }
  }
  const redis = new Redis(redisUrl, { commandTimeout: 1000 })
  redis.on('error', (error) => console.error(`Redis: ${error.message}`))
  await adviseOnConnection(redis)
  const options = { namespace: 'countersign-demo' }
  return {
    where: 'in Redis',
    replay: redisReplay(redis, options),
    credentials: redisCredentials(redis, options),
    sessions: redisSessions(redis, options),
    close: async () => redis.disconnect(),
  }
}
