import { type Check, fail, pass, printCheck, skip } from '../checks.js'
import { failedError, unavailableError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { isoTime, relativeTime } from '../durations.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { parseUrl } from '../parse-url.js'
import { decodeToken } from './decode-token.js'
import { readToken } from './read-token.js'
import { redactClaims } from './redact-claims.js'
import { findServerMetadata } from './server-metadata.js'
import { verifyWithIssuer } from './verify-with-issuer.js'

/** The options of `oauth inspect`. */
export interface InspectOptions {
  readonly tokenFile?: string
  readonly issuer?: string
  readonly audience?: string
  readonly showPersonal?: boolean
  readonly json?: boolean
}

const TIMES = ['exp', 'nbf', 'iat', 'auth_time']

/** Shows a token's header and claims and, given its issuer, whether it is good. */
export async function inspect(context: Context, options: InspectOptions): Promise<ExitCode> {
  const { issuer, audience, json, showPersonal = false } = options
  const { COUNTERSIGN_TOKEN, COUNTERSIGN_TOKEN_FILE } = context.env
  const fallback = (COUNTERSIGN_TOKEN ?? COUNTERSIGN_TOKEN_FILE) === undefined ? '-' : undefined
  const token = await readToken(context, options.tokenFile ?? fallback)
  if (token === undefined || token === '') throw usageError('no token is given: pipe one in, or use --token-file')
  if (audience !== undefined && issuer === undefined) throw usageError('--audience is checked with --issuer: add it')
  const decoded = decodeToken(token)
  if (decoded === undefined) {
    throw failedError('the token is no JWT: it is opaque, and only its issuer can say what it is (RFC 7662)')
  }
  const claims = showPersonal ? decoded.claims : redactClaims(decoded.claims)
  const checks = issuer === undefined ? undefined : await verify(context, token, issuer, audience)
  const isGood = checks?.every(({ status }) => status !== 'fail')
  if (json) {
    context.output.json({ header: decoded.header, claims, ...(checks === undefined ? {} : { ok: isGood, checks }) })
  } else {
    print(context, 'header', decoded.header)
    print(context, 'claims', claims)
    context.output.line(`${context.output.style('bold', 'signature')}  <redacted>`)
    for (const check of checks ?? [skip('verified', 'no --issuer was given: nothing of this is proven')]) {
      printCheck(context, check)
    }
  }
  return isGood === false ? exitCodes.failed : exitCodes.ok
}

function print({ output }: Context, title: string, members: Readonly<Record<string, unknown>>): void {
  output.line(output.style('bold', title))
  const width = Math.max(...Object.keys(members).map((name) => name.length), 0)
  for (const [name, value] of Object.entries(members)) {
    const isTime = TIMES.includes(name) && typeof value === 'number' && Math.abs(value) < 8.64e12
    const time = isTime ? `  ${isoTime(value * 1000)}, ${relativeTime(value * 1000)}` : ''
    // JSON escapes what could steer a terminal, but for the C1 controls.
    const text = JSON.stringify(value)?.replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '')
    output.line(`  ${JSON.stringify(name).slice(1, -1).padEnd(width)}  ${text}${time}`)
  }
}

async function verify(context: Context, token: string, issuer: string, audience: string | undefined): Promise<Check[]> {
  parseUrl(issuer)
  const found = await findServerMetadata(issuer, { timeoutMs: 10_000, signal: context.signal })
  if (typeof found === 'string') throw unavailableError(`the metadata of the issuer cannot be had: ${found}`)
  const { metadata } = found
  if (metadata.issuer !== issuer) {
    const remedy = 'Give --issuer exactly as the metadata has it.'
    return [fail('issuer', `the metadata is of ${JSON.stringify(metadata.issuer)}, not of ${issuer}`, remedy)]
  }
  const checks = await verifyWithIssuer(token, { issuer, jwksUri: metadata.jwks_uri, audience })
  return [pass('issuer', `the metadata of ${issuer} is at ${found.place}`), ...checks]
}
