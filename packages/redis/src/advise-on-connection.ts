import { warnOnce, withDeadline } from '@countersign/core/gate-kit'
import type { Redis } from 'ioredis'
import {
  assertClient,
  type ClientOptions,
  clientOptions,
  DEFAULT_COMMAND_TIMEOUT_MS,
  isCluster,
  type RedisClient,
} from './client.js'
import { EVICTS } from './eviction.js'

/** One setting that would lose data or hang, with what to do about it. */
export interface ConnectionAdvice {
  readonly code:
    | 'COUNTERSIGN_REDIS_EVICTS'
    | 'COUNTERSIGN_REDIS_NO_AOF'
    | 'COUNTERSIGN_REDIS_RETRIES_WITHOUT_END'
    | 'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT'
    | 'COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT'
    | 'COUNTERSIGN_REDIS_GIVES_UP'
    | 'COUNTERSIGN_REDIS_RECONNECTS_ON_ERROR'
    | 'COUNTERSIGN_REDIS_KEY_PREFIX'
    | 'COUNTERSIGN_REDIS_AUTO_PIPELINING'
    | 'COUNTERSIGN_REDIS_UNREACHABLE'
    | 'COUNTERSIGN_REDIS_CONFIG_HIDDEN'
  /** The setting, as Redis or ioredis calls it. */
  readonly setting: string
  /** What it is set to. */
  readonly value: string
  /** What can happen. */
  readonly danger: string
  /** What to do about it. */
  readonly remedy: string
}

/**
 * Looks at a client and its server for what would lose data or hang, and warns by name, once for each. A server that
 * cannot be asked is an advice too. All of it is also returned, for a start that wants to be strict.
 *
 * @throws {OptionError} when the argument is not an ioredis client.
 */
export async function adviseOnConnection(redis: RedisClient): Promise<readonly ConnectionAdvice[]> {
  assertClient(redis, 'adviseOnConnection')
  const advice = [...adviseOnOptions(redis), ...(await adviseOnServer(redis))]
  tell(redis, advice)
  return advice
}

/** The advice that a store gives by itself once it is connected. That the server went away since is not the client's. */
export async function adviseOnStart(redis: RedisClient): Promise<void> {
  const advice = await adviseOnServer(redis)
  if (advice.some(({ code }) => code === 'COUNTERSIGN_REDIS_UNREACHABLE')) return
  tell(redis, [...adviseOnOptions(redis), ...advice])
}

function tell(redis: RedisClient, advice: readonly ConnectionAdvice[]): void {
  for (const { code, setting, value, danger, remedy } of advice) {
    warnOnce({ code, owner: redis, message: `Redis: ${setting} is ${value}: ${danger}`, remedy })
  }
}

/** Asks a client's options one question each. What it gives is the setting's value. */
type OptionCheck = Omit<ConnectionAdvice, 'value'> & { readonly value: (options: ClientOptions) => string | undefined }

const OPTION_CHECKS: readonly OptionCheck[] = [
  {
    code: 'COUNTERSIGN_REDIS_RETRIES_WITHOUT_END',
    setting: 'maxRetriesPerRequest',
    value: ({ maxRetriesPerRequest }) => (maxRetriesPerRequest === null ? 'null' : undefined),
    danger: "the app's own commands wait as long as Redis is down",
    remedy: 'Use a separate client for the gates, or set a number. The gates have their own deadlines.',
  },
  {
    code: 'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT',
    setting: 'commandTimeout',
    value: ({ commandTimeout }) => (commandTimeout === undefined ? 'not set' : undefined),
    danger: "the app's own commands hang while Redis is stopped; the gates' do not, they have deadlines",
    remedy: 'Set commandTimeout on the client, for example to 1000.',
  },
  {
    code: 'COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT',
    setting: 'socketTimeout',
    value: ({ socketTimeout }) => (socketTimeout === undefined ? 'not set' : undefined),
    danger: 'a dead connection is kept until TCP times out, and the gates answer 503 until then',
    remedy: 'Set socketTimeout on the client, for example to 5000: it then reconnects if no reply comes for that long.',
  },
  {
    code: 'COUNTERSIGN_REDIS_GIVES_UP',
    setting: 'retryStrategy',
    value: ({ retryStrategy }) => (typeof retryStrategy === 'function' ? undefined : 'not a function'),
    danger: 'once the connection is lost, the client never reconnects, and the gates answer 503 until a restart',
    remedy: "Leave retryStrategy (for a cluster: clusterRetryStrategy) at the client's default.",
  },
  {
    code: 'COUNTERSIGN_REDIS_RECONNECTS_ON_ERROR',
    setting: 'reconnectOnError',
    value: ({ reconnectOnError }) => reconnectsOn(reconnectOnError),
    danger: 'each such reply cuts the connection, and other requests lose their pending replies',
    remedy: 'Return false for these errors. The stores themselves reconnect when the server is READONLY.',
  },
  {
    code: 'COUNTERSIGN_REDIS_KEY_PREFIX',
    setting: 'keyPrefix',
    value: ({ keyPrefix = '' }) => (keyPrefix === '' ? undefined : JSON.stringify(keyPrefix)),
    danger: 'a process that connects without it does not see what is revoked, used or bound here',
    remedy: "Give all processes the same keyPrefix, or use none: the stores' option namespace does the same.",
  },
  {
    code: 'COUNTERSIGN_REDIS_AUTO_PIPELINING',
    setting: 'enableAutoPipelining',
    value: ({ enableAutoPipelining }) => (enableAutoPipelining === true ? 'true' : undefined),
    danger: "one of the app's slow commands delays its others, and one defined at run time can crash the process",
    remedy: "Disable it on the gates' client. The gates' commands bypass it, and are batched into one write anyway.",
  },
]

function adviseOnOptions(redis: RedisClient): ConnectionAdvice[] {
  const options = clientOptions(redis)
  return OPTION_CHECKS.flatMap(({ value: ask, ...rest }) => {
    const value = ask(options)
    return value === undefined ? [] : [{ ...rest, value }]
  })
}

/** Errors that Redis answers in normal operation: the first use of a script, and a full memory. */
const USUAL_ERRORS = [
  'NOSCRIPT No matching script. Please use EVAL.',
  "OOM command not allowed when used memory > 'maxmemory'.",
]

function reconnectsOn(decide: ClientOptions['reconnectOnError']): string | undefined {
  if (typeof decide !== 'function') return undefined
  const code = USUAL_ERRORS.find((text) => {
    try {
      return Boolean(decide(Object.assign(new Error(text), { name: 'ReplyError' })))
    } catch {
      return true
    }
  })?.split(' ', 1)[0]
  return code === undefined ? undefined : `true for ${code}`
}

async function adviseOnServer(redis: RedisClient): Promise<ConnectionAdvice[]> {
  let configs: Map<string, string>[]
  try {
    configs = await withDeadline(readConfigs(redis), DEFAULT_COMMAND_TIMEOUT_MS * 2, 'CONFIG GET')
  } catch (error) {
    const reply = (error as Error).message
    const isRefused = /^(NOPERM|ERR unknown command|ERR unknown subcommand)/.test(reply)
    return [isRefused ? HIDDEN : { ...UNREACHABLE, value: `unreachable (${reply})` }]
  }
  const policies = configs.map((config) => config.get('maxmemory-policy'))
  const evicting = policies.find((policy) => policy !== undefined && policy !== 'noeviction')
  const isForgetful = configs.some((config) => config.get('appendonly') === 'no')
  return [
    ...(evicting === undefined
      ? []
      : [{ code: 'COUNTERSIGN_REDIS_EVICTS', setting: 'maxmemory-policy', value: evicting, ...EVICTS } as const]),
    ...(isForgetful ? [NO_AOF] : []),
  ]
}

/** The configuration of the server, or of each master of a cluster: one of them is enough to lose data. */
async function readConfigs(redis: RedisClient): Promise<Map<string, string>[]> {
  if (!isCluster(redis)) return [await readConfig(redis)]
  if (redis.status === 'wait') await redis.connect()
  else if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve))
  const masters = redis.nodes('master')
  if (masters.length === 0) throw new Error('the cluster has no known master')
  return Promise.all(masters.map(readConfig))
}

async function readConfig(server: Redis): Promise<Map<string, string>> {
  const config = new Map<string, string>()
  for (const name of ['maxmemory-policy', 'appendonly']) {
    const reply: unknown = await server.config('GET', name)
    // RESP2 answers a flat list, RESP3 a map.
    const value = Array.isArray(reply) ? reply[1] : (reply as Record<string, unknown> | null)?.[name]
    if (typeof value === 'string') config.set(name, value)
  }
  return config
}

const NO_AOF: ConnectionAdvice = {
  code: 'COUNTERSIGN_REDIS_NO_AOF',
  setting: 'appendonly',
  value: 'no',
  danger: 'a restart from an old snapshot restores revoked credentials, and forgets used signatures',
  remedy: 'Set appendonly to yes: CONFIG SET appendonly yes, and in redis.conf.',
}

const UNREACHABLE: ConnectionAdvice = {
  code: 'COUNTERSIGN_REDIS_UNREACHABLE',
  setting: 'connection',
  value: 'unreachable',
  danger: 'its settings could not be read, and the gates answer 503 until it is reachable',
  remedy: 'Check the address, the network, and whether Redis runs.',
}

const HIDDEN: ConnectionAdvice = {
  code: 'COUNTERSIGN_REDIS_CONFIG_HIDDEN',
  setting: 'CONFIG',
  value: 'not allowed for this user',
  danger: 'maxmemory-policy and appendonly could not be checked',
  remedy: 'Check them by hand: noeviction, and yes.',
}
