import { type Command, Option } from 'commander'

/** Which store a command works on. */
export interface StoreChoice {
  readonly store?: 'postgres' | 'env'
  readonly dotenv?: string
}

/** Adds {@link StoreChoice} to a command. */
export function addStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--store <kind>',
        'where the secrets are (default: postgres when DATABASE_URL is set, else env)',
      ).choices(['postgres', 'env']),
    )
    .option('--dotenv <file>', 'the environment is this file of NAME=value lines, which may be changed')
}
