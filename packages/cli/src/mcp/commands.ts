import { type Command, Option } from 'commander'
import { collect } from '../collect.js'
import { type Define, defineGroup } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import type { ClientConfigCommandOptions } from './client-config.js'
import type { IssueCommandOptions } from './issue.js'
import type { ListCommandOptions } from './list.js'
import type { PrintOptions } from './print.js'
import { addRegistryOptions, type RegistryOptions } from './registry-options.js'
import type { RevokeCommandOptions } from './revoke.js'

/** Adds the commands of `mcp`. */
export function addMcpCommands(program: Command, define: Define): void {
  const mcp = defineGroup(
    program,
    'mcp',
    'credentials of agent sessions, in the Redis of REDIS_URL',
    'countersign mcp list --thread t-1',
  )
  define<IssueCommandOptions>(mcp, {
    usage: 'issue',
    changesState: true,
    summary: 'issue a credential for a thread and print its token',
    examples: [
      'countersign mcp issue --thread t-1 --provider claude-1 --capability preview --file ~/.config/app/credential.json',
    ],
    options: (command) =>
      addRegistryOptions(command)
        .requiredOption('--thread <id>', 'the thread that the agent works in')
        .requiredOption('--provider <id>', 'the agent, as the host configured it')
        .option('--provider-session <id>', "the provider's own session")
        .option('--capability <name>', 'what the agent may do; may be repeated', collect)
        .addOption(
          new Option(
            '--on-existing <how>',
            "what becomes of the thread's other credentials (default: supersede)",
          ).choices(['supersede', 'keep', 'carry']),
        )
        .option('--overlap <time>', 'how long superseded ones stay usable (default: 0s)', parseSeconds)
        .option('--file <file>', 'write it to this file, for you alone and in one step, instead of printing it'),
    run: async (context, options) => (await import('./issue.js')).issue(context, options),
  })
  define<ListCommandOptions>(mcp, {
    usage: 'list',
    summary: 'list the credentials that are not ended',
    examples: ['countersign mcp list', 'countersign mcp list --provider claude-1 --json'],
    options: (command) =>
      addRegistryOptions(command)
        .option('--thread <id>', 'of this thread alone')
        .option('--provider <id>', 'of this provider alone')
        .option('--limit <n>', 'at most so many', parsePositive),
    run: async (context, options) => (await import('./list.js')).listCredentials(context, options),
  })
  define<RegistryOptions>(mcp, {
    usage: 'show <credential-id>',
    summary: 'show one credential and what became of it',
    details: 'The id is in the audit and in lists; it is no secret.',
    examples: ['countersign mcp show 4fT9bQ…'],
    options: addRegistryOptions,
    run: async (context, options, id) => (await import('./show.js')).show(context, options, id as string),
  })
  define<RevokeCommandOptions>(mcp, {
    usage: 'revoke [credential-id]',
    changesState: true,
    summary: 'end one credential, or all of a thread, a provider, or everyone, at once',
    examples: [
      'countersign mcp revoke 4fT9bQ…',
      'countersign mcp revoke --thread t-1 --retire',
      'countersign mcp revoke --all',
    ],
    options: (command) =>
      addRegistryOptions(command)
        .option('--thread <id>', 'every credential of this thread')
        .option('--retire', 'with --thread: issue nothing for it for 24 h either')
        .option('--provider <id>', 'every credential of this provider')
        .option('--provider-session <id>', "every credential of this provider's session")
        .option('--all', 'every credential'),
    run: async (context, options, id) => (await import('./revoke.js')).revokeCredentials(context, options, id),
  })
  define<PrintOptions>(mcp, {
    usage: 'print',
    summary: 'print the header fields of a credential file, as a header helper of an agent does',
    details: "For Claude Code's headersHelper and Codex's http_headers_helper. It asks no store.",
    examples: ['countersign mcp print --file ~/.config/app/credential.json'],
    options: (command) =>
      command
        .requiredOption('--file <file>', 'the file that "mcp issue --file" wrote')
        .option('--token', 'print the token alone'),
    run: async (context, options) => (await import('./print.js')).print(context, options),
  })
  define<ClientConfigCommandOptions>(mcp, {
    usage: 'client-config <client>',
    summary: 'print the configuration of an agent',
    details: 'Clients: claude-code, codex, cursor, opencode, gemini, acp, sdk.',
    examples: [
      'countersign mcp client-config claude-code --url https://app.example.com/mcp --server-name app --file credential.json',
    ],
    options: (command) =>
      command
        .requiredOption('--url <url>', 'the MCP endpoint')
        .requiredOption('--server-name <name>', 'what the client calls it')
        .option('--env-name <name>', 'the variable that carries the token (default: MCP_CRED_<SERVER-NAME>)')
        .option('--file <file>', 'the file that "mcp issue --file" wrote'),
    run: async (context, options, client) =>
      (await import('./client-config.js')).clientConfig(context, options, client as string),
  })
}
