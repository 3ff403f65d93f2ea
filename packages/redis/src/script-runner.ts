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
import { Gathering } from './gathering.js'
import type { RedisScript, SharedScript } from './script.js'

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

/** Deadlines that the reply to a change may take beyond its own. */
const PATIENCE = 2

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
   * As `run`, of a change of state: its reply, not the script, may take two deadlines more. Nobody waits for a change as for
   * a decision, and a change whose reply is lost was done and nobody knows.
   */
  change(
    script: RedisScript,
    tag: string,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
    onUnknown?: LateReply['onUnknown'],
  ): Promise<unknown>
  /** As `run`, of a script that calls share: those of one turn of the event loop go out in one command. */
  ask(
    script: SharedScript,
    tag: string,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
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
  const gathering = new Gathering(redis, {
    call: (tag, request) => connection.call(caller, tag, request),
    atLast: (write) => connection.atLast(write),
  })
  return {
    namespace,
    ask: (script, tag, keys, args) => gathering.ask(script, tag, keys, args),
    run: (script, tag, keys, args, late) => connection.call(caller, tag, { script, keys, args, late }),
    change: (script, tag, keys, args, onUnknown) => {
      const late: LateReply = { patienceMs: PATIENCE * terms.commandTimeoutMs, onUnknown }
      return connection.call(caller, tag, { script, keys, args, late })
    },
    ready: (tag) => connection.ready(caller, tag),
  }
}
