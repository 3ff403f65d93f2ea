import { readVariable } from '@countersign/core'
import { rfc9421, type SignatureFormat, secretsFromEnv, sign, xHeaders } from '@countersign/hmac'
import { type Command, Option } from 'commander'
import { collect } from '../collect.js'
import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { parsePositive } from '../durations.js'
import { parseUrl } from '../parse-url.js'
import { readInput, readSecret } from '../secret-input.js'
import { requireCaller } from './generate.js'
import { hasSecret, secretVariable, variablePart } from './secret-variable.js'

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
  readonly header: readonly string[]
  readonly data?: string
  readonly dataFile?: string
  readonly legacy?: string
}

/** A request with its signature, and the very text that was signed. */
export interface SignedRequest {
  readonly method: string
  readonly url: string
  /** What is sent along: the given fields, then the signature's, then the old key's. */
  readonly headers: Readonly<Record<string, string>>
  /** The fields that the signature adds, and the old key's. */
  readonly added: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly base: string
  readonly audience: string
  readonly caller: string
  readonly version: number
  readonly format: SignatureFormat
  readonly signedAtMs: number
}

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
    .option('-H, --header <field>', 'a header field that is sent, as "name: value"; may be repeated', collect, [])
    .addOption(new Option('-d, --data <text>', 'the body').conflicts('dataFile'))
    .option('--data-file <file>', 'the body, from a file; "-" is standard input')
    .option(
      '--legacy <header>',
      'send the old key too, in this header; it is read from COUNTERSIGN_HMAC_LEGACY_<CALLER>',
    )
}

/** Reads what is to be signed, and signs it. @throws {CommandError} or an `OptionError` for a wrong option. */
export async function signRequest(
  context: Context,
  options: SigningOptions,
  method: string,
  url: string,
): Promise<SignedRequest> {
  requireCaller(options.caller)
  const { host } = parseUrl(url)
  const audience = options.audience ?? host
  const format = createFormat(options)
  const headers = parseHeaders(options.header)
  const body = await readBody(context, options)
  const { secret, version } = await findSecret(context, options)
  const signedAtMs = Date.now()
  let base = ''
  // The format hands the text to its `mac`: there it can be seen.
  const seen: SignatureFormat = {
    ...format,
    sign: (input) =>
      format.sign({
        ...input,
        mac(text) {
          base = text
          return input.mac(text)
        },
      }),
  }
  const { caller } = options
  const fields = sign(
    { method, url, headers, body },
    { caller, version, secret, audience, format: seen, now: signedAtMs },
  )
  const added = { ...fields, ...legacyHeader(context, options) }
  return {
    method,
    url,
    headers: { ...headers, ...added },
    added,
    body,
    base,
    audience,
    caller,
    version,
    format,
    signedAtMs,
  }
}

function createFormat({ format, tag, prefix, bindQuery, bindAudience }: SigningOptions): SignatureFormat {
  if (format === 'rfc9421') {
    if (prefix !== undefined || !bindQuery || !bindAudience) {
      throw usageError('--prefix, --no-bind-query and --no-bind-audience belong to --format x-headers: add it')
    }
    return rfc9421(tag === undefined ? {} : { tag })
  }
  if (tag !== undefined) throw usageError('--tag belongs to --format rfc9421: leave it out')
  return xHeaders({ bindQuery, bindAudience, ...(prefix === undefined ? {} : { prefix }) })
}

function parseHeaders(fields: readonly string[]): Record<string, string> {
  const pairs = fields.map((field) => {
    const [, name, value = ''] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(field) ?? []
    if (name === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw usageError('--header must be "name: value", as "content-type: application/json"')
    }
    return [name.toLowerCase(), value] as const
  })
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) {
    throw usageError('--header gives one field twice: a field that is signed may be sent once only')
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
  if (secretFile !== undefined) {
    const what = `the secret of "${caller}"`
    const secret = await readSecret(context, { file: secretFile, variable: secretVariable(caller), what })
    return { secret: secret as string, version: keyVersion ?? 1 }
  }
  const variable = secretVariable(caller)
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
