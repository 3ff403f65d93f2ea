import type { Command } from 'commander'
import { type Define, defineGroup } from '../command.js'
import { parseSeconds } from '../durations.js'
import type { InspectOptions } from './inspect.js'
import type { SmokeOptions } from './smoke-command.js'

const TOKEN_FILE = 'the access token; "-" is standard input (or COUNTERSIGN_TOKEN)'

/** Adds `oauth smoke` and `oauth inspect`. */
export function addOAuthCommands(program: Command, define: Define): void {
  const oauth = defineGroup(
    program,
    'oauth',
    'protected resources and access tokens',
    'countersign oauth smoke https://mcp.example.com/mcp',
  )
  define<SmokeOptions>(oauth, {
    usage: 'smoke <url>',
    summary: 'walk the path of a client to a protected resource and report each step',
    details: 'The challenge, the metadata, the authorization server, and with a token the protocol.',
    examples: [
      'countersign oauth smoke https://mcp.example.com/mcp',
      'countersign oauth smoke https://mcp.example.com/mcp --token-file token --register',
    ],
    options: (command) =>
      command
        .option('--token-file <file>', TOKEN_FILE)
        .option('--register', 'register a client at the authorization server, and remove it where it can')
        .option('--api', 'the URL is a plain API, asked by GET, and no MCP server')
        .option('--timeout <time>', 'the most that one request may take (default: 10s)', parseSeconds),
    run: async (context, options, url) => (await import('./smoke-command.js')).smoke(context, options, url as string),
  })
  define<InspectOptions>(oauth, {
    usage: 'inspect',
    summary: 'show what an access token says and, given its issuer, whether it is good',
    details: 'The token comes from standard input. Its signature, and what tells of a person, is not shown.',
    examples: [
      'pbpaste | countersign oauth inspect --issuer https://auth.example.com --audience https://api.example.com',
    ],
    options: (command) =>
      command
        .option('--token-file <file>', TOKEN_FILE)
        .option('--issuer <url>', 'the issuer whose keys are to have signed it')
        .option('--audience <uri>', 'the resource that it must be for')
        .option('--show-personal', 'show the claims that tell of a person too'),
    run: async (context, options) => (await import('./inspect.js')).inspect(context, options),
  })
}
