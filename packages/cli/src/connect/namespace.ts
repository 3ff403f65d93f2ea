import type { Environment } from '@countersign/core'
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

/** The namespace as a store takes it: left out, it is the store's own. */
export function namespaceOf(env: Environment, { namespace }: NamespaceOption): NamespaceOption {
  const name = namespace ?? env.COUNTERSIGN_REDIS_NAMESPACE
  return name === undefined ? {} : { namespace: name }
}
