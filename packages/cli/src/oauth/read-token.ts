import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { readSecret } from '../secret-input.js'

/** An access token from a file (`-` is standard input) or `COUNTERSIGN_TOKEN`; undefined when none is given. */
export async function readToken(context: Context, file: string | undefined): Promise<string | undefined> {
  const text = await readSecret(context, { file, variable: 'COUNTERSIGN_TOKEN', what: 'the token' })
  const token = text?.trim().replace(/^Bearer +/i, '')
  if (token === undefined || /^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return token
  throw usageError('the token holds characters that no token has (RFC 6750 §2.1): give the token alone, on one line')
}
