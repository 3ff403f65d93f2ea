import { type Command, Option } from 'commander'
import { collect } from '../collect.js'
import { parsePositive } from '../durations.js'

/** The options that `sign`, `curl` and `explain` share. */
export interface SigningOptions {
  readonly caller: string
  readonly keyVersion?: number
  readonly secretFile?: string
  readonly audience?: string
  readonly format: 'rfc9421' | 'x-headers'
  readonly tag?: string
  readonly prefix?: string
  readonly bindQuery: boolean
  readonly bindAudience: boolean
  readonly header?: readonly string[]
  readonly data?: string
  readonly dataFile?: string
  readonly legacy?: string
}

/** Adds {@link SigningOptions} to a command. */
export function addSigningOptions(command: Command): Command {
  return command
    .requiredOption('--caller <name>', 'the name that the verifier knows this service by')
    .option('--key-version <n>', 'the version of the secret (default: the newest that is set)', parsePositive)
    .option('--secret-file <file>', 'the secret; "-" is standard input (default: COUNTERSIGN_HMAC_SECRET_<CALLER>)')
    .option('--audience <host>', "the verifier's audience (default: the host of the URL)")
    .addOption(new Option('--format <name>', 'the wire format').choices(['rfc9421', 'x-headers']).default('rfc9421'))
    .option('--tag <tag>', 'rfc9421: the tag of the signature (default: countersign)')
    .option('--prefix <prefix>', 'x-headers: the first part of the header names (default: x-countersign)')
    .option('--no-bind-query', 'x-headers: leave the query out of what is signed')
    .option('--no-bind-audience', 'x-headers: leave the audience out of what is signed')
    .option('-H, --header <field>', 'a header field that is sent, as "name: value"; may be repeated', collect)
    .addOption(new Option('-d, --data <text>', 'the body').conflicts('dataFile'))
    .option('--data-file <file>', 'the body, from a file; "-" is standard input')
    .option(
      '--legacy <header>',
      'send the old key too, in this header; it is read from COUNTERSIGN_HMAC_LEGACY_<CALLER>',
    )
}
