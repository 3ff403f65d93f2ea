import type { LifeOptions, McpCredentials } from '@countersign/mcp-credential'
import { namespaceOf } from '../connect/namespace.js'
import { openRedis } from '../connect/redis.js'
import type { Context } from '../context.js'
import type { RegistryOptions } from './registry-options.js'

/** Opens the registry in Redis, hands it to `work` and closes it. */
export async function withCredentials<T>(
  context: Context,
  options: RegistryOptions,
  work: (credentials: McpCredentials) => Promise<T>,
): Promise<T> {
  const connection = await openRedis(context.env)
  try {
    const [{ createMcpCredentials }, { redisCredentials }] = await Promise.all([
      import('@countersign/mcp-credential'),
      import('@countersign/mcp-credential/redis'),
    ])
    const store = redisCredentials(connection.redis, { ...namespaceOf(context.env, options), commandTimeoutMs: 5000 })
    const { prefix } = options
    const credentials = createMcpCredentials({
      store,
      audit: context.audit,
      ...lifeOf(options),
      ...(prefix === undefined ? {} : { prefix }),
    })
    return await work(credentials)
  } finally {
    connection.close()
  }
}

function lifeOf({ idleTimeout, maxLifetime, absoluteLifetime }: RegistryOptions): LifeOptions {
  const ms = (name: string, seconds: number | undefined) => (seconds === undefined ? {} : { [name]: seconds * 1000 })
  return {
    ...ms('idleTimeoutMs', idleTimeout),
    ...ms('maximumLifetimeMs', maxLifetime),
    ...ms('absoluteLifetimeMs', absoluteLifetime),
  }
}
