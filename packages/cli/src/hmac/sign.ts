import { readVariable } from '@countersign/core/gate-kit'
import { memorySecrets, rfc9421, type SignatureFormat, secretsFromEnv, sign, xHeaders } from '@countersign/hmac'
import type { ExplainSignatureOptions } from '@countersign/hmac/explain'
import { variablePart } from '@countersign/hmac/store'
import { type Command, Option } from 'commander'
import { type CommandDefinition, collect } from '../command.js'
import type { Context } from '../context.js'
import { parsePositive } from '../durations.js'
import { notFoundError, usageError } from '../errors.js'
import { parseUrl, readInput, readSecret } from '../input.js'
import { hasSecret, requireCaller, secretVariable } from './variables.js'

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
  readonly nonce?: boolean
  readonly requireField?: readonly string[]
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
    .option('--prefix <prefix>', 'x-headers: the prefix of the header names (default: x-countersign)')
    .option('--no-bind-query', 'x-headers: do not sign the query')
    .option('--no-bind-audience', 'x-headers: do not sign the audience')
    .option('--nonce', 'x-headers: sign with a nonce, so that an equal request is not taken for a copy')
    .option('--require-field <name>', 'sign this header field, as the verifier requires; may be repeated', collect)
    .option('-H, --header <field>', 'send a header field, as "name: value"; may be repeated', collect)
    .addOption(new Option('-d, --data <text>', 'the body').conflicts('dataFile'))
    .option('--data-file <file>', 'the body, from a file; "-" is standard input')
    .option('--legacy <header>', 'also send the old key, from COUNTERSIGN_HMAC_LEGACY_<CALLER>, in this header')
}

/** `hmac sign`: prints the header fields that a request needs. */
export const hmacSign: CommandDefinition<SigningOptions, [method: string, url: string]> = {
  usage: 'sign <method> <url>',
  summary: 'sign a request and print the header fields to add',
  examples: [
    'countersign hmac sign POST https://billing.example.com/jobs --caller scheduler -d \'{"a":1}\' -H "content-type: application/json"',
  ],
  options: addSigningOptions,
  async run(context, options, method, url) {
    const { added } = await signRequest(context, options, method, url)
    const lines = Object.entries(added).map(([name, value]) => `${name}: ${value}`)
    context.output.result(options.json, added, lines)
  },
}

/** A signed request. */
export interface SignedCall {
  readonly method: string
  readonly url: string
  /** What is sent: the given fields, then those of the signature, then the old key. */
  readonly headers: Readonly<Record<string, string>>
  /** The fields of the signature, and the old key. */
  readonly added: Readonly<Record<string, string>>
  /** The field of the old key. */
  readonly legacy: string | undefined
  readonly body: Uint8Array
  readonly audience: string
  readonly caller: string
  readonly version: number
  readonly secret: string | Uint8Array
  readonly format: SignatureFormat
  readonly signedAtMs: number
}

/** Reads what to sign, and signs it. @throws {CommandError} or an `OptionError` for a wrong option. */
export async function signRequest(
  context: Context,
  options: SigningOptions,
  method: string,
  url: string,
): Promise<SignedCall> {
  const { caller, legacy, nonce } = options
  requireCaller(caller)
  const { host } = parseUrl(url)
  const audience = options.audience ?? host
  const format = createFormat(options)
  const given = parseHeaders(options.header ?? [])
  const body = await readBody(context, options)
  const { secret, version } = await findSecret(context, options)
  const signedAtMs = Date.now()
  const request = { method, url, headers: given, body }
  const fields = sign(request, { caller, version, secret, audience, format, now: signedAtMs, nonce })
  const added = { ...fields, ...legacyHeader(context, options) }
  const headers = { ...given, ...added }
  return { method, url, headers, added, legacy, body, audience, caller, version, secret, format, signedAtMs }
}

/** The options of a gate that knows this caller with this secret, for `explainSignature`. */
export function verifierOf({ caller, version, secret, audience, format }: SignedCall): ExplainSignatureOptions {
  const secrets = memorySecrets([{ caller, version, secret }])
  return { secrets, formats: [format], callers: [caller], ...(format.bindsAudience ? { audience } : {}) }
}

function createFormat(options: SigningOptions): SignatureFormat {
  const { format, tag, prefix, bindQuery, bindAudience, nonce, requireField: requiredFields } = options
  if (format === 'rfc9421') {
    if (nonce) throw usageError('--nonce belongs to --format x-headers: rfc9421 has a nonce in any case')
    if (prefix !== undefined || !bindQuery || !bindAudience) {
      throw usageError('--prefix, --no-bind-query and --no-bind-audience belong to --format x-headers: add it')
    }
    return rfc9421({ tag, requiredFields })
  }
  if (tag !== undefined) throw usageError('--tag belongs to --format rfc9421: remove it')
  return xHeaders({ prefix, bindQuery, bindAudience, requiredFields })
}

function parseHeaders(fields: readonly string[]): Record<string, string> {
  const pairs = fields.map((field) => {
    const [, name, value = ''] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(field) ?? []
    if (name === undefined) {
      throw usageError('--header must be "name: value", as "content-type: application/json"')
    }
    return [name.toLowerCase(), value] as const
  })
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) {
    throw usageError('--header gives one field twice: a signed field may be sent only once')
  }
  return Object.fromEntries(pairs)
}

async function readBody(context: Context, { data, dataFile, secretFile }: SigningOptions): Promise<Uint8Array> {
  if (dataFile === '-' && secretFile === '-') {
    throw usageError('standard input cannot hold both the secret and the body: name a file for one of them')
  }
  if (dataFile !== undefined) return readInput(context, dataFile, 'the body')
  return Buffer.from(data ?? '', 'utf8')
}

async function findSecret(context: Context, { caller, keyVersion, secretFile }: SigningOptions) {
  const variable = secretVariable(caller)
  if (secretFile !== undefined) {
    const secret = await readSecret(context, { file: secretFile, variable, what: `the secret of "${caller}"` })
    return { secret: secret as string, version: keyVersion ?? 1 }
  }
  if (!hasSecret(context.env, caller)) {
    throw notFoundError(`no secret of "${caller}" is given: set ${variable}, or use --secret-file`)
  }
  const versions = await secretsFromEnv(context.env, { callers: [caller] }).list(caller)
  const found = versions.find(({ version }) => keyVersion === undefined || version === keyVersion)
  if (found?.key === undefined) {
    throw notFoundError(`version ${keyVersion} of "${caller}" is not set: ${variable}_V${keyVersion} must hold it`)
  }
  return { secret: found.key.export(), version: found.version }
}

function legacyHeader({ env }: Context, { legacy, caller }: SigningOptions): Record<string, string> {
  if (legacy === undefined) return {}
  if (!/^[A-Za-z0-9-]{1,64}$/.test(legacy)) throw usageError('--legacy must be the name of a header field')
  const variable = `COUNTERSIGN_HMAC_LEGACY_${variablePart(caller)}`
  const key = readVariable(env, variable)
  if (key === undefined || key === '') throw usageError(`${variable} is not set: --legacy sends the key that it holds`)
  return { [legacy]: legacy.toLowerCase() === 'authorization' ? `Bearer ${key}` : key }
}
