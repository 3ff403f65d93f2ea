import { Command } from 'commander'
import type { Context } from './context.js'
import { type ExitCode, exitCodes } from './exit-codes.js'

/** One command as it is described to commander. */
export interface CommandDefinition<O> {
  /** Its name and arguments: `rotate <caller>`. */
  readonly usage: string
  /** One line: what it does. */
  readonly summary: string
  /** What a user must know beside it. */
  readonly details?: string
  /** At least one, as it is typed. */
  readonly examples: readonly [string, ...string[]]
  /** Whether it changes what is stored: then it is recorded. */
  readonly changesState?: boolean
  /** Adds the command's options; `--json` is there always. */
  readonly options?: (command: Command) => unknown
  /** Does it. Without an exit code it ends with 0. */
  readonly run: (context: Context, options: O & JsonOption, ...args: string[]) => Promise<ExitCode | undefined>
}

/** What every command has. */
export interface JsonOption {
  /** Machine-readable output. */
  readonly json?: boolean
}

/** Adds a command to its parent. */
export type Define = <O = object>(parent: Command, definition: CommandDefinition<O>) => void

/** What happens around a command. */
export interface CommandHooks {
  /** Called before a command that changes what is stored. */
  record(): Promise<void>
  onEnd(exitCode: ExitCode): void
}

/** Makes the function that adds commands. */
export function createDefine(context: Context, { record, onEnd }: CommandHooks): Define {
  return (parent, { usage, summary, details, examples, changesState = false, options, run }) => {
    const command = parent
      .command(usage)
      .summary(summary)
      .description(details === undefined ? capitalised(summary) : `${capitalised(summary)} ${details}`)
    options?.(command)
    command.option('--json', 'print JSON, for scripts')
    command.addHelpText('after', exampleText(examples))
    command.action(async (...given: unknown[]) => {
      const values = given.slice(0, -2).flat() as string[]
      if (changesState) await record()
      onEnd((await run(context, given.at(-2) as never, ...values)) ?? exitCodes.ok)
    })
  }
}

/** A command that only holds others. */
export function defineGroup(parent: Command, name: string, summary: string, example: string): Command {
  return parent
    .command(name)
    .summary(summary)
    .description(capitalised(summary))
    .addHelpText('after', exampleText([example]))
}

/** The command that holds all others. */
export function createRoot(): Command {
  return new Command('countersign')
}

function exampleText(examples: readonly string[]): string {
  const title = examples.length === 1 ? 'Example:' : 'Examples:'
  return `\n${[title, ...examples.map((example) => `  $ ${example}`)].join('\n')}`
}

function capitalised(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}
