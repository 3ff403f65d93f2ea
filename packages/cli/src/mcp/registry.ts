import { createMcpCredentials, type McpCredentials } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import type { Command } from 'commander'
import { addStateOptions, type StateOptions, type StoreMakers, withStore } from '../connect/state.js'
import type { Context } from '../context.js'
import { parseSeconds } from '../durations.js'

/** The options of every command on the registry. */
export interface RegistryOptions extends StateOptions {
  readonly prefix?: string
  readonly idleTimeout?: number
  readonly maxLifetime?: number
  readonly absoluteLifetime?: number
}

/** Adds {@link RegistryOptions} to a command. */
export function addRegistryOptions(command: Command): Command {
  return addStateOptions(command)
    .option('--prefix <prefix>', 'what every token starts with (default: mcps)')
    .option('--idle-timeout <time>', "the app's idleTimeoutSeconds (default: 30m)", parseSeconds)
    .option('--max-lifetime <time>', "the app's maximumLifetimeSeconds (default: 30d)", parseSeconds)
    .option('--absolute-lifetime <time>', "the app's absoluteLifetimeSeconds (default: none)", parseSeconds)
}

/** Runs `work` with the registry on the store. */
export function withCredentials<T>(
  context: Context,
  options: RegistryOptions,
  work: (credentials: McpCredentials) => Promise<T>,
): Promise<T> {
  return withStore(context, options, makers, (store) => {
    const { prefix, idleTimeout, maxLifetime, absoluteLifetime } = options
    const credentials = createMcpCredentials({
      store,
      audit: context.audit,
      prefix,
      idleTimeoutSeconds: idleTimeout,
      maximumLifetimeSeconds: maxLifetime,
      absoluteLifetimeSeconds: absoluteLifetime,
    })
    return work(credentials)
  })
}

const makers: StoreMakers<McpCredentialStore> = {
  async redis(redis, settings) {
    const { redisCredentials } = await import('@countersign/mcp-credential/redis')
    return redisCredentials(redis, settings)
  },
  async postgres(client, settings) {
    const { postgresCredentials } = await import('@countersign/mcp-credential/postgres')
    return postgresCredentials(client, settings)
  },
}
