import { type OptionRule, option, resolveOptions } from '@countersign/core/gate-kit'
import {
  assertClient,
  DEFAULT_COMMAND_TIMEOUT_MS,
  DEFAULT_NAMESPACE,
  NAMESPACE_PATTERN,
  type RedisClient,
  type RedisStoreOptions,
} from './client.js'
import { type Caller, connectionOf, type LateReply } from './connection.js'
import type { RedisScript } from './script.js'

/** The rules of {@link RedisStoreOptions}; spread them into a store's own. */
export const redisStoreOptionRules: {
  readonly namespace: OptionRule<string>
  readonly commandTimeoutMs: OptionRule<number>
  readonly dangerouslyAllowEviction: OptionRule<boolean>
  readonly reconnectOnReadonly: OptionRule<boolean>
} = {
  namespace: option
    .string(NAMESPACE_PATTERN, '1 to 64 of the characters A-Z a-z 0-9 . _ : -')
    .default(DEFAULT_NAMESPACE),
  commandTimeoutMs: option.integer(1, 60_000).default(DEFAULT_COMMAND_TIMEOUT_MS),
  dangerouslyAllowEviction: option.boolean().default(false),
  reconnectOnReadonly: option.boolean().default(true),
}

/** Runs the scripts of one store. */
export interface ScriptRunner {
  readonly namespace: string
  /**
   * Runs a script on keys that share the hash tag `tag`.
   *
   * @throws {UnavailableError} when Redis cannot be asked in time: never "not found".
   */
  run(
    script: RedisScript,
    tag: string,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
    late?: LateReply,
  ): Promise<unknown>
  /**
   * Settles when the server of a hash tag answers and may be used.
   *
   * @throws {UnavailableError} when it cannot be asked in time, or evicts.
   */
  ready(tag: string): Promise<void>
}

/**
 * What a Redis store calls its scripts with. `owner` is the function that makes the store, for wrong options;
 * `dependency` is what its `UnavailableError`s name.
 */
export function createScriptRunner(
  redis: RedisClient,
  owner: string,
  dependency: string,
  options: RedisStoreOptions = {},
): ScriptRunner {
  assertClient(redis, owner)
  const { namespace, ...terms } = resolveOptions(owner, options, redisStoreOptionRules)
  const connection = connectionOf(redis)
  const caller: Caller = { dependency, ...terms }
  return {
    namespace,
    run: (script, tag, keys, args, late) => connection.call(caller, tag, { script, keys, args, late }),
    ready: (tag) => connection.ready(caller, tag),
  }
}
