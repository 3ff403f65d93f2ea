import type { Command } from 'commander'
import { addNamespaceOption, type NamespaceOption } from '../connect/namespace-option.js'

/** The options of every command about a person. */
export interface UserOptions extends NamespaceOption {
  readonly team?: string
}

/** Adds {@link UserOptions} to a command. */
export function addUserOptions(command: Command): Command {
  return addNamespaceOption(command).option('--team <id>', 'the team or workspace, where the platform has them')
}
