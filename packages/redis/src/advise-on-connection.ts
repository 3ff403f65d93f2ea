import { withDeadline } from '@countersign/core'
import { DEFAULT_COMMAND_TIMEOUT_MS, isCluster, type RedisClient } from './client.js'

/** One setting that would lose data or hang, with what to do about it. */
export interface ConnectionAdvice {
  readonly code:
    | 'COUNTERSIGN_REDIS_EVICTS'
    | 'COUNTERSIGN_REDIS_NO_AOF'
    | 'COUNTERSIGN_REDIS_RETRIES_WITHOUT_END'
    | 'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT'
    | 'COUNTERSIGN_REDIS_UNREACHABLE'
    | 'COUNTERSIGN_REDIS_CONFIG_HIDDEN'
  readonly setting: string
  readonly value: string
  readonly danger: string
  readonly remedy: string
}

/**
 * Looks at a client and its server for what would lose data or hang, and warns by name, once for each. Never throws.
 * The advice is also returned, for a start that wants to be strict.
 */
export async function adviseOnConnection(redis: RedisClient): Promise<readonly ConnectionAdvice[]> {
  const advice = [...adviseOnOptions(redis), ...(await adviseOnServer(redis))]
  for (const { code, setting, value, danger, remedy } of advice) {
    if (isWarned(redis, code)) continue
    process.emitWarning(`Redis: ${setting} is ${value}: ${danger}`, { code, detail: remedy })
  }
  return advice
}

const warned = new WeakMap<RedisClient, Set<string>>()

function isWarned(redis: RedisClient, code: string): boolean {
  const codes = warned.get(redis) ?? new Set()
  warned.set(redis, codes)
  if (codes.has(code)) return true
  codes.add(code)
  return false
}

function adviseOnOptions(redis: RedisClient): ConnectionAdvice[] {
  const options = isCluster(redis) ? (redis.options.redisOptions ?? {}) : redis.options
  const advice: ConnectionAdvice[] = []
  const { maxRetriesPerRequest, commandTimeout } = options as {
    maxRetriesPerRequest?: number | null
    commandTimeout?: number
  }
  if (maxRetriesPerRequest === null) {
    advice.push({
      code: 'COUNTERSIGN_REDIS_RETRIES_WITHOUT_END',
      setting: 'maxRetriesPerRequest',
      value: 'null',
      danger: "the app's own commands wait for as long as Redis is down",
      remedy: 'Use a client of its own for the gates, or set a number. The gates have deadlines of their own.',
    })
  }
  if (commandTimeout === undefined) {
    advice.push({
      code: 'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT',
      setting: 'commandTimeout',
      value: 'not set',
      danger: "the app's own commands hang while Redis is stopped; the gates' do not, they have deadlines",
      remedy: 'Set commandTimeout on the client, for example to 1000.',
    })
  }
  return advice
}

async function adviseOnServer(redis: RedisClient): Promise<ConnectionAdvice[]> {
  let config: Map<string, string>
  try {
    config = await withDeadline(readConfig(redis), DEFAULT_COMMAND_TIMEOUT_MS * 2, 'CONFIG GET')
  } catch (error) {
    const reply = (error as Error).message
    const isRefused = /^(NOPERM|ERR unknown command|ERR unknown subcommand)/.test(reply)
    return [isRefused ? HIDDEN : { ...UNREACHABLE, value: reply }]
  }
  const advice: ConnectionAdvice[] = []
  const policy = config.get('maxmemory-policy')
  if (policy !== undefined && policy !== 'noeviction') {
    advice.push({
      code: 'COUNTERSIGN_REDIS_EVICTS',
      setting: 'maxmemory-policy',
      value: policy,
      danger: 'under memory pressure Redis drops live credentials, sessions and replay claims',
      remedy: 'Set maxmemory-policy to noeviction: CONFIG SET maxmemory-policy noeviction, and in redis.conf.',
    })
  }
  if (config.get('appendonly') === 'no') {
    advice.push({
      code: 'COUNTERSIGN_REDIS_NO_AOF',
      setting: 'appendonly',
      value: 'no',
      danger: 'a restart from an old snapshot brings back what was revoked',
      remedy: 'Set appendonly to yes: CONFIG SET appendonly yes, and in redis.conf.',
    })
  }
  return advice
}

async function readConfig(redis: RedisClient): Promise<Map<string, string>> {
  const server = isCluster(redis) ? redis.nodes('master')[0] : redis
  if (server === undefined) throw new Error('the cluster has no known master')
  const config = new Map<string, string>()
  for (const name of ['maxmemory-policy', 'appendonly']) {
    const reply: unknown = await server.config('GET', name)
    // RESP2 answers a flat list, RESP3 a map.
    const value = Array.isArray(reply) ? reply[1] : (reply as Record<string, unknown> | null)?.[name]
    if (typeof value === 'string') config.set(name, value)
  }
  return config
}

const UNREACHABLE: ConnectionAdvice = {
  code: 'COUNTERSIGN_REDIS_UNREACHABLE',
  setting: 'connection',
  value: 'unreachable',
  danger: 'its settings could not be read, and the gates answer 503 until it can be reached',
  remedy: 'Check the address, the network and that Redis runs.',
}

const HIDDEN: ConnectionAdvice = {
  code: 'COUNTERSIGN_REDIS_CONFIG_HIDDEN',
  setting: 'CONFIG',
  value: 'not allowed for this user',
  danger: 'maxmemory-policy and appendonly could not be checked',
  remedy: 'Check them by hand: noeviction, and yes.',
}
