import { type Command, Option } from 'commander'
import type { Context } from './context.js'
import { type ExitCode, exitCodes } from './errors.js'

/** One command: how it is described to commander, and what it does. `O` are its options, `A` its arguments. */
export interface CommandDefinition<O = object, A extends (string | undefined)[] = []> {
  /** Its name and arguments: `rotate <caller>`. */
  readonly usage: string
  /** What it does, in one line. */
  readonly summary: string
  /** More sentences for its help. */
  readonly details?: string
  /** Command lines, at least one. */
  readonly examples: readonly [string, ...string[]]
  /** True for a command that changes what is stored: its events are recorded. */
  readonly changesState?: boolean | ((options: O) => boolean)
  /** Adds the command's options. `--json` is always there. */
  readonly options?: (command: Command) => unknown
  /** Runs it. Without an exit code it ends with 0. */
  run(context: Context, options: O & JsonOption, ...args: A): Promise<ExitCode | undefined>
}

/** The option that every command has. */
export interface JsonOption {
  /** Print JSON. */
  readonly json?: boolean
}

/** A command with options and arguments of any types. */
export type AnyCommand = CommandDefinition<never, never>

/** Commands with a common first word, loaded when that word is used: `mcp print` must start fast. */
export interface CommandGroup {
  readonly name: string
  readonly summary: string
  readonly example: string
  readonly load: () => Promise<readonly AnyCommand[]>
}

/** What happens around a command. */
export interface CommandHooks {
  /** Called before a command that changes what is stored. */
  record(): Promise<void>
  onEnd(exitCode: ExitCode): void
}

/** Adds a command to its parent. */
export function addCommand(
  parent: Command,
  definition: AnyCommand,
  context: Context,
  { record, onEnd }: CommandHooks,
): void {
  const { usage, summary, details, examples, changesState = false, options } = definition
  const sentence = capitalised(summary)
  const command = parent
    .command(usage)
    .summary(summary)
    .description(details === undefined ? sentence : `${sentence} ${details}`)
  options?.(command)
  command.option('--json', 'print JSON')
  command.addHelpText('after', exampleText(examples))
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2).flat() as never
    const chosen = given.at(-2) as never
    if (typeof changesState === 'function' ? changesState(chosen) : changesState) await record()
    onEnd((await definition.run(context, chosen, ...args)) ?? exitCodes.ok)
  })
}

/** Adds a group without its commands. */
export function addGroup(program: Command, { name, summary, example }: CommandGroup): Command {
  return program
    .command(name)
    .summary(summary)
    .description(capitalised(summary))
    .addHelpText('after', exampleText([example]))
}

/** What {@link addAllOption} adds. */
export interface AllOption {
  readonly all?: boolean
  readonly yes?: boolean
}

/** Adds `--all`, which asks before it does what it says, and `--yes`, which does not. */
export function addAllOption(command: Command, what: string, ...instead: string[]): Command {
  return command.addOption(new Option('--all', what).conflicts(instead)).option('--yes', 'with --all: do not ask')
}

/** For commander: an option that may be repeated. */
export function collect(value: string, list: readonly string[] = []): readonly string[] {
  return [...list, value]
}

function exampleText(examples: readonly string[]): string {
  const title = examples.length === 1 ? 'Example:' : 'Examples:'
  return `\n${[title, ...examples.map((example) => `  $ ${example}`)].join('\n')}`
}

function capitalised(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}
