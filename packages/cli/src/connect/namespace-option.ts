import type { Command } from 'commander'

export interface NamespaceOption {
  readonly namespace?: string
}

export function addNamespaceOption(command: Command): Command {
  return command.option(
    '--namespace <name>',
    'the first part of every key (default: COUNTERSIGN_REDIS_NAMESPACE, else cs)',
  )
}
