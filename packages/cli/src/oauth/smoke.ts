import { isSecureUrl } from '@countersign/core/gate-kit'
import { type Check, finishReport, printCheck } from '../checks.js'
import type { JsonOption } from '../command.js'
import type { Context } from '../context.js'
import { type ExitCode, usageError } from '../errors.js'
import { parseUrl } from '../input.js'
import { smokeTest } from './smoke-test.js'
import { readToken } from './token.js'

/** The options of `oauth smoke`. */
export interface SmokeOptions {
  readonly tokenFile?: string
  readonly register?: boolean
  readonly api?: boolean
  readonly timeout?: number
}

/** `oauth smoke`: prints each check as soon as it is known. */
export async function smoke(context: Context, options: SmokeOptions & JsonOption, url: string): Promise<ExitCode> {
  const { json, register, api, timeout, tokenFile } = options
  const parsed = parseUrl(url)
  if (parsed.hash !== '') throw usageError('the URL of a resource has no fragment (RFC 9728 §1.2): remove the "#…"')
  const token = await readToken(context, tokenFile)
  if (token !== undefined && !isSecureUrl(parsed)) {
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
  if (token === undefined && !json) context.output.note('No token was given: what needs one was not checked.')
  return finishReport(context, checks, { json, url })
}
