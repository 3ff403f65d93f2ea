import type { Command } from 'commander'
import { type Define, defineGroup } from '../command.js'
import { addNamespaceOption, type NamespaceOption } from '../connect/namespace-option.js'
import { parseSeconds } from '../durations.js'
import type { LinkOptions } from './link.js'
import { addUserOptions, type UserOptions } from './user-options.js'

/** Adds the commands of `session`. */
export function addSessionCommands(program: Command, define: Define): void {
  const session = defineGroup(
    program,
    'session',
    'settings sessions of people, in the Redis of REDIS_URL',
    'countersign session list telegram 4711',
  )
  const manage = () => import('./manage.js')
  define<UserOptions>(session, {
    usage: 'list <platform> <user-id>',
    summary: 'list the active sessions of a person',
    details: 'An id that starts with "-" goes after "--".',
    examples: ['countersign session list slack U123 --team T1', 'countersign session list telegram -- -100123'],
    options: addUserOptions,
    run: async (context, options, platform, userId) =>
      (await manage()).listSessions(context, options, platform as string, userId as string),
  })
  define<NamespaceOption>(session, {
    usage: 'revoke <session-id>',
    changesState: true,
    summary: 'end one session at once',
    examples: ['countersign session revoke 3f8Jc…'],
    options: addNamespaceOption,
    run: async (context, options, id) => (await manage()).revokeSession(context, options, id as string),
  })
  define<UserOptions>(session, {
    usage: 'revoke-all <platform> <user-id>',
    changesState: true,
    summary: 'end every session of a person and void every link, those under way included',
    examples: ['countersign session revoke-all telegram 4711'],
    options: addUserOptions,
    run: async (context, options, platform, userId) =>
      (await manage()).revokeAllSessions(context, options, platform as string, userId as string),
  })
  define<LinkOptions>(session, {
    usage: 'link <platform> <user-id>',
    changesState: true,
    summary: 'make a settings link, for development',
    details: 'The base URL must be on localhost.',
    examples: ['countersign session link demo you --base-url http://localhost:3000/settings'],
    options: (command) =>
      addUserOptions(command)
        .requiredOption('--base-url <url>', 'where the settings are mounted')
        .option('--agent <id>', 'the agent on whose behalf it is offered')
        .option('--return-to <path>', 'a path below the base URL')
        .option('--ttl <time>', 'how long it may be opened (default: 10m)', parseSeconds)
        .option('--confirm-code', 'the page asks for digits, which are printed too'),
    run: async (context, options, platform, userId) =>
      (await import('./link.js')).link(context, options, platform as string, userId as string),
  })
}
