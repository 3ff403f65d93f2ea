import { Option } from 'commander'
import { type CommandDefinition, collect } from '../command.js'
import { parseSeconds } from '../durations.js'
import { type InspectOptions, inspect } from './inspect.js'
import { type SmokeOptions, smoke } from './smoke.js'

const TOKEN_FILE = 'the access token; "-" is standard input (or COUNTERSIGN_TOKEN)'

const smokeCommand: CommandDefinition<SmokeOptions> = {
  usage: 'smoke <url>',
  summary: 'do what a client of a protected resource does, and report each step',
  details: 'The challenge, the metadata, the authorization server, and with a token the protocol.',
  examples: [
    'countersign oauth smoke https://mcp.example.com/mcp',
    'countersign oauth smoke https://mcp.example.com/mcp --token-file token --register',
  ],
  options: (command) =>
    command
      .option('--token-file <file>', TOKEN_FILE)
      .option('--register', 'register a client at the authorization server, and remove it where possible')
      .option('--api', 'the URL is a plain API, called with GET, and not an MCP server')
      .option('--timeout <time>', 'how long one request may take (default: 10s)', parseSeconds),
  run: smoke,
}

const inspectCommand: CommandDefinition<InspectOptions> = {
  usage: 'inspect',
  summary: 'show the claims of an access token and, given its issuer, whether a gate accepts it',
  details: 'The token comes from standard input. Its signature and personal claims are not shown.',
  examples: [
    'pbpaste | countersign oauth inspect --issuer https://auth.example.com --audience https://api.example.com',
  ],
  options: (command) =>
    command
      .option('--token-file <file>', TOKEN_FILE)
      .option('--issuer <url>', 'verify it as requireOAuthBearer does with this issuer')
      .option('--audience <uri>', 'the resource of the gate (default: the audience of the token)')
      .addOption(
        new Option('--profile <name>', 'the profile of the issuer in the gate (default: rfc9068)').choices([
          'rfc9068',
          'relaxed',
        ]),
      )
      .option('--trusted-host <host>', 'a host of the issuer without a public address; may be repeated', collect)
      .option('--show-personal', 'show personal claims too'),
  run: inspect,
}

/** The commands of `oauth`. */
export const oauthCommands: readonly CommandDefinition<never>[] = [smokeCommand, inspectCommand]
