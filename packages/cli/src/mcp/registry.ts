import { createMcpCredentials, type McpCredentials } from '@countersign/mcp-credential'
import type { Command } from 'commander'
import { addNamespaceOption, type NamespaceOption, withRedis } from '../connect/redis.js'
import type { Context } from '../context.js'
import { parseSeconds } from '../durations.js'

/** The options of every command on the registry. */
export interface RegistryOptions extends NamespaceOption {
  readonly prefix?: string
  readonly idleTimeout?: number
  readonly maxLifetime?: number
  readonly absoluteLifetime?: number
}

/** Adds {@link RegistryOptions} to a command. */
export function addRegistryOptions(command: Command): Command {
  return addNamespaceOption(command)
    .option('--prefix <prefix>', 'what every token starts with (default: mcps)')
    .option('--idle-timeout <time>', "the app's idleTimeoutSeconds (default: 30m)", parseSeconds)
    .option('--max-lifetime <time>', "the app's maximumLifetimeSeconds (default: 30d)", parseSeconds)
    .option('--absolute-lifetime <time>', "the app's absoluteLifetimeSeconds (default: none)", parseSeconds)
}

/** Runs `work` with the registry in Redis. */
export function withCredentials<T>(
  context: Context,
  options: RegistryOptions,
  work: (credentials: McpCredentials) => Promise<T>,
): Promise<T> {
  return withRedis(context, options, async (redis, storeSettings) => {
    const { redisCredentials } = await import('@countersign/mcp-credential/redis')
    const { prefix, idleTimeout, maxLifetime, absoluteLifetime } = options
    const credentials = createMcpCredentials({
      store: redisCredentials(redis, storeSettings),
      audit: context.audit,
      prefix,
      idleTimeoutSeconds: idleTimeout,
      maximumLifetimeSeconds: maxLifetime,
      absoluteLifetimeSeconds: absoluteLifetime,
    })
    return work(credentials)
  })
}
