import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCommand, addGroup, type CommandDefinition, type CommandGroup, type CommandHooks } from './command.js'
import { addNamespaceOption } from './connect/redis.js'
import type { Context } from './context.js'
import type { DevOptions } from './dev/dev.js'
import type { DoctorRequest } from './doctor/doctor.js'
import { parsePort, parseUrl } from './input.js'
import type { MigrateRequest } from './migrate.js'

/** The commands that belong to no group. */
const completion: CommandDefinition<object, [shell: string]> = {
  usage: 'completion <shell>',
  summary: 'print the completions of bash, zsh or fish',
  details: 'Load them in the startup file of your shell.',
  examples: [
    'countersign completion bash >> ~/.bashrc',
    'countersign completion fish > ~/.config/fish/completions/countersign.fish',
  ],
  async run(context, _options, shell) {
    const { completionScript } = await import('./completion.js')
    const names = GROUPS.map(({ name }) => name)
    const program = await createProgram(context, { record: async () => undefined, onEnd: () => undefined }, names)
    context.output.line(completionScript(shell, program))
    return undefined
  },
}

const GROUPS: readonly CommandGroup[] = [
  {
    name: 'hmac',
    summary: 'secrets of signed requests, and signing by hand',
    example: 'countersign hmac list',
    load: async () => (await import('./hmac/commands.js')).hmacCommands,
  },
  {
    name: 'oauth',
    summary: 'protected resources and access tokens',
    example: 'countersign oauth smoke https://mcp.example.com/mcp',
    load: async () => (await import('./oauth/commands.js')).oauthCommands,
  },
  {
    name: 'mcp',
    summary: 'credentials of agent sessions, in the Redis of REDIS_URL or the PostgreSQL of DATABASE_URL',
    example: 'countersign mcp list --thread t-1',
    load: async () => (await import('./mcp/commands.js')).mcpCommands,
  },
  {
    name: 'session',
    summary: 'settings sessions of people, in the Redis of REDIS_URL or the PostgreSQL of DATABASE_URL',
    example: 'countersign session list telegram 4711',
    load: async () => (await import('./session/commands.js')).sessionCommands,
  },
  {
    name: 'audit',
    summary: 'audit files that the jsonl sink wrote',
    example: 'countersign audit verify audit.jsonl',
    load: async () => (await import('./audit/commands.js')).auditCommands,
  },
]

const doctor: CommandDefinition<DoctorRequest> = {
  usage: 'doctor',
  summary: 'check Node, the environment, the keys, PostgreSQL and Redis',
  details:
    'Skips what is not configured. Run it where the app runs, with its environment. With --settings it issues a link for a made-up person, opens it at that address as a browser would, and revokes it.',
  examples: [
    'countersign doctor',
    'countersign doctor --json | jq ".checks[] | select(.status == \\"fail\\")"',
    'countersign doctor --settings https://app.example.com/settings',
  ],
  changesState: ({ settings }) => settings !== undefined,
  options: (command) =>
    addNamespaceOption(command.option('--settings <url>', 'baseUrl of the settings, the public address', parseUrl)),
  run: async (context, options) => (await import('./doctor/doctor.js')).doctor(context, options),
}

const dev: CommandDefinition<DevOptions> = {
  usage: 'dev',
  summary: 'run an issuer and all four gates on this machine, and print what their callers present',
  details:
    'Get a first 200 without a provider: each printed line is ready to paste, and every decision is shown. With --app it prints what your own app needs, and a signed request and an access token for it. It listens only on loopback; Ctrl+C ends it.',
  examples: ['countersign dev', 'countersign dev --app http://localhost:3000/jobs'],
  changesState: true,
  options: (command) =>
    command
      .option('--port <n>', 'where it listens; 0 picks any', parsePort, 8787)
      .option('--app <url>', 'the address of a route of your own app', parseUrl),
  run: async (context, options) => (await import('./dev/dev.js')).dev(context, options),
}

const migrate: CommandDefinition<MigrateRequest> = {
  usage: 'migrate',
  summary: 'create the tables and functions of all stores in PostgreSQL',
  details:
    'It adds what is missing, in one transaction; running it again changes nothing. Run it before the processes of a new version start.',
  examples: ['countersign migrate', 'countersign migrate --schema auth', 'countersign migrate --print'],
  options: (command) =>
    command
      .option('--schema <name>', 'the schema, which must exist (default: the first one of the search_path)')
      .option('--print', 'print the SQL instead of running it'),
  run: async (context, options) => (await import('./migrate.js')).migrate(context, options),
}

const EXIT_CODES = `
Exit codes:
  0    done, and every check passed
  1    the answer is no: a check failed, a request was refused, an altered line was found
  2    a wrong argument, option, environment variable or file; nothing was done
  3    a store or a server cannot be reached
  4    the caller, version, credential or session does not exist
  70   a bug in the command itself

Secrets are never taken from the command line: they come from the environment, a file or standard input.`

/** The program, with the commands of those groups whose names are among `words`. */
export async function createProgram(context: Context, hooks: CommandHooks, words: readonly string[]): Promise<Command> {
  const program = new Command('countersign')
    .description('Operates the gates of Countersign: secrets, credentials, sessions, audit files, deployments.')
    .version(readVersion(), '-v, --version')
    .helpCommand('help [command...]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .configureOutput({ writeErr: (text) => context.output.note(text.trimEnd()), outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', EXIT_CODES)
  for (const group of GROUPS) {
    const parent = addGroup(program, group)
    const commands = words.includes(group.name) ? await group.load() : []
    for (const command of commands) addCommand(parent, command, context, hooks)
  }
  for (const command of [dev, migrate, doctor, completion] as const) addCommand(program, command, context, hooks)
  return program
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
