import { Option } from 'commander'
import { type CommandDefinition, collect } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import { type ClientConfigCommandOptions, clientConfig, type PrintOptions, print } from './agents.js'
import {
  type IssueOptions,
  issue,
  type ListOptions,
  listCredentials,
  type RevokeOptions,
  revokeCredentials,
  show,
} from './credentials.js'
import { addRegistryOptions, type RegistryOptions } from './registry.js'

const issueCommand: CommandDefinition<IssueOptions> = {
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
          "what to do with the thread's other credentials (default: supersede)",
        ).choices(['supersede', 'keep', 'carry']),
      )
      .option('--overlap <time>', 'how long superseded credentials stay valid (default: 0s)', parseSeconds)
      .option('--file <file>', 'write the credential to this file (mode 0600) instead of printing its token'),
  run: issue,
}

const listCommand: CommandDefinition<ListOptions> = {
  usage: 'list',
  summary: 'list the credentials that have not ended',
  examples: ['countersign mcp list', 'countersign mcp list --provider claude-1 --json'],
  options: (command) =>
    addRegistryOptions(command)
      .option('--thread <id>', 'of this thread')
      .option('--provider <id>', 'of this provider')
      .option('--limit <n>', 'at most this many', parsePositive),
  run: listCredentials,
}

const showCommand: CommandDefinition<RegistryOptions> = {
  usage: 'show <credential-id>',
  summary: 'show one credential and its standing',
  details: 'Audit events and "mcp list" show the id. It is not secret.',
  examples: ['countersign mcp show 4fT9bQ…'],
  options: addRegistryOptions,
  run: show,
}

const revokeCommand: CommandDefinition<RevokeOptions> = {
  usage: 'revoke [credential-id]',
  changesState: true,
  summary: 'revoke one credential, or all of a thread, a provider or everyone, at once',
  examples: [
    'countersign mcp revoke 4fT9bQ…',
    'countersign mcp revoke --thread t-1 --retire',
    'countersign mcp revoke --all',
  ],
  options: (command) =>
    addRegistryOptions(command)
      .option('--thread <id>', 'every credential of this thread')
      .option('--retire', 'with --thread: also refuse to issue credentials for it for 24 h')
      .option('--provider <id>', 'every credential of this provider')
      .option('--provider-session <id>', "every credential of this provider's session")
      .option('--all', 'every credential'),
  run: revokeCredentials,
}

const printCommand: CommandDefinition<PrintOptions> = {
  usage: 'print',
  summary: 'print the header fields of a credential file, as the header helper of an agent',
  details: "For Claude Code's headersHelper and Codex's http_headers_helper. It needs no store.",
  examples: ['countersign mcp print --file ~/.config/app/credential.json'],
  options: (command) =>
    command
      .requiredOption('--file <file>', 'the file that "mcp issue --file" wrote')
      .option('--token', 'print the token alone'),
  run: print,
}

const clientConfigCommand: CommandDefinition<ClientConfigCommandOptions> = {
  usage: 'client-config <client>',
  summary: 'print the configuration of an agent',
  details: 'Clients: claude-code, codex, cursor, opencode, gemini, acp, sdk.',
  examples: [
    'countersign mcp client-config claude-code --url https://app.example.com/mcp --server-name app --file credential.json',
  ],
  options: (command) =>
    command
      .requiredOption('--url <url>', 'the MCP endpoint')
      .requiredOption('--server-name <name>', 'the name of the server in the client')
      .option('--env-name <name>', 'the variable that holds the token (default: MCP_CRED_<SERVER-NAME>)')
      .option('--file <file>', 'the file that "mcp issue --file" wrote'),
  run: clientConfig,
}

/** The commands of `mcp`. */
export const mcpCommands: readonly CommandDefinition<never>[] = [
  issueCommand,
  listCommand,
  showCommand,
  revokeCommand,
  printCommand,
  clientConfigCommand,
]
