import { type Check, concludeChecks, printCheck } from '../checks.js'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import type { ExitCode } from '../exit-codes.js'
import { parseUrl } from '../parse-url.js'
import { isSecure } from './http.js'
import { readToken } from './read-token.js'
import { smokeTest } from './smoke-test.js'

/** The options of `oauth smoke`. */
export interface SmokeOptions {
  readonly tokenFile?: string
  readonly register?: boolean
  readonly api?: boolean
  readonly timeout?: number
  readonly json?: boolean
}

/** `oauth smoke`: prints each check as it is made. Throws when the resource cannot be reached. */
export async function smoke(context: Context, options: SmokeOptions, url: string): Promise<ExitCode> {
  const { json, register, api, timeout } = options
  const parsed = parseUrl(url)
  if (parsed.hash !== '') throw usageError('the URL of a resource has no fragment (RFC 9728 §1.2): leave the "#…" out')
  const token = await readToken(context, options.tokenFile)
  if (token !== undefined && !isSecure(parsed)) {
    throw usageError('a token is sent over https only, or to this machine: use an https URL')
  }
  const checks = await smokeTest(url, {
    token,
    register,
    api,
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    signal: context.signal,
    onCheck: json ? undefined : (check: Check) => printCheck(context, check),
  })
  if (token === undefined && !json) context.output.note('No token was given: what it would open was not looked at.')
  return concludeChecks(context, checks, { json, url })
}
