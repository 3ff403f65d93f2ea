import type { Command } from 'commander'

/** The option of every command on Redis. */
export interface NamespaceOption {
  readonly namespace?: string
}

/** Adds `--namespace`. */
export function addNamespaceOption(command: Command): Command {
  return command.option(
    '--namespace <name>',
    'the first part of every key (default: COUNTERSIGN_REDIS_NAMESPACE, else cs)',
  )
}
