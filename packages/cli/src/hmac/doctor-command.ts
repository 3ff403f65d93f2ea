import { concludeChecks, fail, printCheck, skip } from '../checks.js'
import { CommandError } from '../command-error.js'
import type { Context } from '../context.js'
import { checkRedis } from '../doctor/check-redis.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { checkClock } from './check-clock.js'
import { checkKeys } from './check-keys.js'
import { checkStore } from './check-store.js'

/** The options of `hmac doctor`. */
export interface HmacDoctorOptions {
  readonly url?: string
  readonly json?: boolean
}

/** `hmac doctor`: keys, clock, the store of secrets and that of replays. */
export async function hmacDoctor(context: Context, { url, json }: HmacDoctorOptions): Promise<ExitCode> {
  const clock =
    url === undefined
      ? skip('clock', 'no --url of a server to compare with')
      : await clockOrFailure(url, context.signal)
  const checks = [
    ...(await checkKeys(context.env)),
    clock,
    ...(await checkStore(context)),
    ...(await checkRedis(context)),
  ]
  if (!json) for (const check of checks) printCheck(context, check)
  return concludeChecks(context, checks, { json })
}

async function clockOrFailure(url: string, signal: AbortSignal) {
  try {
    return await checkClock(url, signal)
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === exitCodes.usage) throw error
    return fail('clock', error.message, 'The clocks could not be compared.')
  }
}
