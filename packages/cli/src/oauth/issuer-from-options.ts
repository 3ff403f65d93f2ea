import type { IssuerOptions } from '@countersign/oauth-bearer'
import type * as presets from '@countersign/oauth-bearer/presets'
import { type Command, Option } from 'commander'
import { collect } from '../command.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { parseUrl, readInput } from '../input.js'

/** What a command line says of an issuer. */
export interface IssuerWords {
  readonly issuer?: string
  readonly preset?: PresetName
  readonly set?: readonly string[]
  readonly audience?: string
  readonly clientId?: readonly string[]
  readonly profile?: 'rfc9068' | 'relaxed'
  readonly keysFile?: string
  readonly trustedHost?: readonly string[]
  readonly metadataUrl?: string
}

type PresetName = keyof typeof presets

/** As `@countersign/oauth-bearer/presets` exports them, which is loaded only when one is used. */
const PRESETS: readonly PresetName[] = [
  'adfs',
  'auth0',
  'cognito',
  'entra',
  'entraExternalId',
  'hydra',
  'keycloak',
  'okta',
  'workos',
  'xsuaa',
]

/** Adds the options that {@link issuerFromOptions} reads. */
export function addIssuerOptions(command: Command): Command {
  return command
    .option('--issuer <url>', 'verify it as requireOAuthBearer does with this issuer')
    .addOption(new Option('--preset <name>', "verify it with the provider's preset").choices(PRESETS))
    .option('--set <name=value>', 'an option of the preset, such as tenant=…; may be repeated', collect)
    .option('--audience <uri>', "the gate's resource, or the preset's audience (default: the audience of the token)")
    .option('--client-id <id>', 'a client whose tokens are accepted; may be repeated (default: all)', collect)
    .addOption(
      new Option('--profile <name>', 'the profile of the issuer in the gate (default: rfc9068)').choices([
        'rfc9068',
        'relaxed',
      ]),
    )
    .option('--keys-file <file>', "the issuer's keys (a JWK set), instead of fetching them")
    .option('--trusted-host <host>', 'a host of the issuer without a public address; may be repeated', collect)
}

/**
 * The options of the issuer that a command line describes; undefined if it describes none.
 *
 * @throws {CommandError} for words that contradict each other; {@link OptionError} for what a preset does not accept.
 */
export async function issuerFromOptions(context: Context, words: IssuerWords): Promise<IssuerOptions | undefined> {
  const {
    issuer,
    preset,
    set = [],
    clientId: clientIds,
    profile,
    keysFile,
    trustedHost: trustedHosts,
    metadataUrl,
  } = words
  if (preset === undefined && set.length > 0) throw usageError('--set needs --preset')
  if (preset !== undefined && profile !== undefined) throw usageError('--preset has a profile: remove --profile')
  if (issuer !== undefined) parseUrl(issuer)
  const made = preset === undefined ? issuer && { issuer, profile, clientIds } : await presetOf(preset, words)
  if (made === undefined || made === '') {
    const lonely = (['audience', 'clientId', 'profile', 'keysFile', 'trustedHost', 'metadataUrl'] as const).find(
      (name) => words[name],
    )
    if (lonely === undefined) return undefined
    throw usageError(`--${lonely.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)} needs --issuer or --preset`)
  }
  const keys = keysFile === undefined ? {} : { jwks: await readKeys(context, keysFile), jwksUri: undefined }
  const place = metadataUrl === undefined ? {} : { metadataUrl, jwksUri: undefined }
  return { ...made, ...place, ...(trustedHosts === undefined ? {} : { trustedHosts }), ...keys }
}

async function presetOf(name: PresetName, { issuer, audience, clientId, set = [] }: IssuerWords) {
  const given = { issuer, audience, clientIds: clientId }
  const options = Object.fromEntries([...Object.entries(given), ...set.map(settingOf)].filter(([, value]) => value))
  const all: Readonly<Record<string, (options: never) => unknown>> = await import('@countersign/oauth-bearer/presets')
  // Text alone reaches it, so it makes one issuer.
  return all[name]?.(options as never) as IssuerOptions
}

/** `version=2` is a number to the preset. */
function settingOf(word: string): [string, string | number] {
  const at = word.indexOf('=')
  if (at < 1 || at === word.length - 1) throw usageError(`--set ${JSON.stringify(word)} must be name=value`)
  const value = word.slice(at + 1)
  return [word.slice(0, at), /^\d$/.test(value) ? Number(value) : value]
}

async function readKeys(context: Context, file: string): Promise<{ readonly keys: readonly object[] }> {
  const text = (await readInput(context, file, 'the keys')).toString('utf8')
  try {
    return JSON.parse(text) as { keys: object[] }
  } catch {
    throw usageError(`the file of the keys, ${file}, is not JSON: it must be a JWK set, { "keys": [ … ] }`)
  }
}
