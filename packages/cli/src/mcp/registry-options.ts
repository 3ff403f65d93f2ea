import type { Command } from 'commander'
import { addNamespaceOption, type NamespaceOption } from '../connect/namespace-option.js'
import { parseSeconds } from '../durations.js'

/** The options of every command on the registry. */
export interface RegistryOptions extends NamespaceOption {
  readonly prefix?: string
  readonly idleTimeout?: number
  readonly maxLifetime?: number
  readonly absoluteLifetime?: number
}

/** The registry's options: they must be those of the app. */
export function addRegistryOptions(command: Command): Command {
  return addNamespaceOption(command)
    .option('--prefix <prefix>', 'what every token starts with (default: mcps)')
    .option('--idle-timeout <time>', "the app's idleTimeoutMs (default: 30m)", parseSeconds)
    .option('--max-lifetime <time>', "the app's maximumLifetimeMs (default: 30d)", parseSeconds)
    .option('--absolute-lifetime <time>', "the app's absoluteLifetimeMs (default: none)", parseSeconds)
}
