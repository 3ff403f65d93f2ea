import { memoryReplay, type ReplayStore } from '@countersign/core'
import { memoryCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { redisReplay } from '@countersign/redis'
import { memorySessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { Redis } from 'ioredis'
import { DemoError } from './demo-error.js'

/** Where the gates of the demo keep what they must remember. */
export interface State {
  readonly where: string
  readonly replay: ReplayStore
  readonly credentials: McpCredentialStore
  readonly sessions: SettingsStore
  close(): Promise<void>
}

/**
 * In memory, or in Redis when `redisUrl` is given. `say` is told in one line when Redis goes away and when it is back.
 *
 * @throws {DemoError} when Redis does not answer.
 */
export async function createState(
  redisUrl: string | undefined,
  say: (line: string) => void = () => {},
): Promise<State> {
  if (redisUrl === undefined) {
    return {
      where: 'in memory (set REDIS_URL to use Redis)',
      replay: memoryReplay(),
      credentials: memoryCredentials(),
      sessions: memorySessions(),
      close: async () => undefined,
    }
  }
  const redis = await connect(redisUrl, say)
  const options = { namespace: 'countersign-demo' }
  return {
    where: 'in Redis',
    replay: redisReplay(redis, options),
    credentials: redisCredentials(redis, options),
    sessions: redisSessions(redis, options),
    close: async () => redis.disconnect(),
  }
}

const ANSWER_WITHIN_MS = 3000

async function connect(url: string, say: (line: string) => void): Promise<Redis> {
  const timeouts = { connectTimeout: ANSWER_WITHIN_MS, commandTimeout: 1000, socketTimeout: 5000 }
  const redis = new Redis(url, { ...timeouts, lazyConnect: true })
  const { host, port, path } = redis.options
  const name = path ?? `${host}:${port}`
  let isStarted = false
  let last: string | undefined
  redis.on('error', (error: Error & { code?: string }) => {
    if (last === undefined && isStarted) {
      say(`Redis at ${name} went away (${error.message || error.code}). The gates answer 503 until it is back.`)
    }
    last = error.message || error.code
  })
  const deadline = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS).unref()
  })
  try {
    await Promise.race([redis.connect().then(() => redis.ping()), deadline])
  } catch (error) {
    redis.disconnect()
    const why = last ?? (error as Error).message
    throw new DemoError(
      `Redis at ${name} is unreachable (${why}). Start it, or unset REDIS_URL to keep state in memory.`,
    )
  }
  isStarted = true
  redis.on('ready', () => {
    if (last !== undefined) say(`Redis at ${name} is back.`)
    last = undefined
  })
  return redis
}
