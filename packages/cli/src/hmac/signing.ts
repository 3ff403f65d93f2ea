import { readVariable } from '@countersign/core/gate-kit'
import { rfc9421, type SignatureFormat, secretsFromEnv, sign, xHeaders } from '@countersign/hmac'
import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { parseUrl } from '../parse-url.js'
import { readInput, readSecret } from '../secret-input.js'
import { requireCaller } from './generate.js'
import { hasSecret, secretVariable, variablePart } from './secret-variable.js'
import type { SigningOptions } from './signing-options.js'

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
  const headers = parseHeaders(options.header ?? [])
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
