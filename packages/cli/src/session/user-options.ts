import type { Command } from 'commander'
import { addNamespaceOption, type NamespaceOption } from '../connect/namespace-option.js'

export interface UserOptions extends NamespaceOption {
  readonly team?: string
}

export function addUserOptions(command: Command): Command {
  return addNamespaceOption(command).option('--team <id>', 'the team or workspace, where the platform has them')
}
