import { option, resolveOptions } from '@countersign/core'
import {
  assertClient,
  DEFAULT_COMMAND_TIMEOUT_MS,
  DEFAULT_NAMESPACE,
  NAMESPACE_PATTERN,
  type RedisClient,
  type RedisStoreOptions,
} from './client.js'
import { connectionOf } from './connection.js'
import type { RedisScript } from './script.js'

/** The rules of {@link RedisStoreOptions}; spread them into a store's own. */
export const redisStoreOptionRules = {
  namespace: option
    .string(NAMESPACE_PATTERN, '1 to 64 of the characters A-Z a-z 0-9 . _ : -')
    .default(DEFAULT_NAMESPACE),
  commandTimeoutMs: option.integer(1, 60_000).default(DEFAULT_COMMAND_TIMEOUT_MS),
}

export interface ScriptRunner {
  readonly namespace: string
  /**
   * Runs a script on keys that share the hash tag `tag`.
   *
   * @throws {StoreUnavailableError} never "not found": what cannot be asked is not an answer.
   */
  run(
    script: RedisScript,
    tag: string,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown>
}

/** What a Redis store calls its scripts with. `store` names it in errors. */
export function createScriptRunner(redis: RedisClient, store: string, options: RedisStoreOptions = {}): ScriptRunner {
  assertClient(redis, store)
  const { namespace, commandTimeoutMs } = resolveOptions(store, options, redisStoreOptionRules)
  const connection = connectionOf(redis)
  return {
    namespace,
    run: (script, tag, keys, args) => connection.call(store, script, tag, keys, args, commandTimeoutMs),
  }
}
