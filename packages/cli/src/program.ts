import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { addAuditCommands } from './audit/commands.js'
import { type CommandHooks, createDefine, createRoot } from './command.js'
import type { Context } from './context.js'
import { addDoctorCommand } from './doctor/commands.js'
import { addHmacCommands } from './hmac/commands.js'
import { addMcpCommands } from './mcp/commands.js'
import { addOAuthCommands } from './oauth/commands.js'
import { addSessionCommands } from './session/commands.js'

const EXITS = `
Exit codes:
  0    done, and every check passed
  1    the answer is no: a check failed, a request was refused, an altered line was found
  2    a wrong argument, option, environment variable or file; nothing was done
  3    a store or a server cannot be reached
  4    what was named is not there
  70   a mistake in the command itself

Secrets are never taken from the command line: they come from the environment, a file or standard input.`

/** The command with all its commands. */
export function createProgram(context: Context, hooks: CommandHooks): Command {
  const program = createRoot()
    .description('Operates the gates of Countersign: secrets, credentials, sessions, audit files, deployments.')
    .version(readVersion())
    .showSuggestionAfterError(true)
    .configureOutput({ writeErr: (text) => context.output.note(text.trimEnd()), outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', EXITS)
  const define = createDefine(context, hooks)
  addHmacCommands(program, define)
  addOAuthCommands(program, define)
  addMcpCommands(program, define)
  addSessionCommands(program, define)
  addAuditCommands(program, define)
  addDoctorCommand(program, define)
  return program
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
