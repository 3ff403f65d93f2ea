import type { Command } from 'commander'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { readSecret } from '../input.js'

/** Adds `--token-file`. */
export function addTokenOption(command: Command): Command {
  return command.option('--token-file <file>', 'the access token; "-" is standard input (or COUNTERSIGN_TOKEN)')
}

/** An access token from a file (`-` is standard input) or `COUNTERSIGN_TOKEN`; undefined when none is given. */
export async function readAccessToken(context: Context, file: string | undefined): Promise<string | undefined> {
  const text = await readSecret(context, { file, variable: 'COUNTERSIGN_TOKEN', what: 'the token' })
  const token = text?.trim().replace(/^(?:Bearer|DPoP) +/i, '')
  if (token === undefined || /^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return token
  throw usageError('the token has invalid characters (RFC 6750 §2.1): pass only the token, on one line')
}

/** Claims about a person (OpenID Connect Core §5.1, and what providers add), and claims that could be used again. */
const PERSONAL = new Set(
  (
    'name given_name family_name middle_name nickname preferred_username profile picture website email gender birthdate zoneinfo ' +
    'locale phone_number address username upn ipaddr ip nonce at_hash c_hash sid ' +
    'unique_name emails user_name user_email user_login cognito:username phone clientHost clientAddress'
  ).split(' '),
)

/** The claims without personal ones, so that they can be pasted into a ticket. */
export function redactClaims(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, PERSONAL.has(name) ? '<redacted>' : value]),
  )
}
