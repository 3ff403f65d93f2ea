import { type Check, caution, fail, finishReport, pass, printCheck, skip } from '../checks.js'
import type { CommandDefinition } from '../command.js'
import type { Context } from '../context.js'
import { checkRedis } from '../doctor/check-redis.js'
import { CommandError, exitCodes } from '../errors.js'
import { parseUrl } from '../input.js'
import { sendRequest } from '../send-request.js'
import { checkKeys, checkStore } from './check-secrets.js'

interface HmacDoctorOptions {
  readonly url?: string
}

/** `hmac doctor`: checks the keys, the clock, and the stores of secrets and replays. */
export const hmacDoctor: CommandDefinition<HmacDoctorOptions> = {
  usage: 'doctor',
  summary: 'check the keys, the clock, and the stores of secrets and replays',
  examples: ['countersign hmac doctor --url https://billing.example.com'],
  options: (command) => command.option('--url <url>', 'a server whose clock is compared with this one'),
  async run(context, { url, json }) {
    const clock =
      url === undefined ? skip('clock', 'no --url of a server to compare with') : await checkClock(url, context)
    const checks = [
      ...(await checkKeys(context.env)),
      clock,
      ...(await checkStore(context)),
      ...(await checkRedis(context)),
    ]
    if (!json) for (const check of checks) printCheck(context, check)
    return finishReport(context, checks, { json })
  },
}

const TIMEOUT_MS = 10_000
/** A `Date` header has whole seconds. */
const RESOLUTION_MS = 1000
const WARN_MS = 5000
/** A gate accepts a signature this far ahead of its clock. */
const FAIL_MS = 60_000

/** Compares this machine's clock with the `Date` of a server. */
async function checkClock(url: string, { signal }: Context): Promise<Check> {
  const id = 'clock'
  parseUrl(url)
  const sentMs = Date.now()
  const started = performance.now()
  let date: string | undefined
  try {
    const response = await sendRequest({ method: 'GET', url, headers: {}, body: new Uint8Array(0) }, TIMEOUT_MS, signal)
    response.destroy()
    date = response.headers.date
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === exitCodes.usage) throw error
    return fail(id, error.message, 'The clocks could not be compared.')
  }
  const elapsedMs = performance.now() - started
  const serverMs = Date.parse(date ?? '')
  if (Number.isNaN(serverMs)) return caution(id, 'the server sends no Date', 'Compare the clocks by hand.')
  // The server read its clock between sending and receiving, and truncated it to the second.
  const offsetMs = serverMs + RESOLUTION_MS / 2 - (sentMs + elapsedMs / 2)
  const uncertaintyMs = (RESOLUTION_MS + elapsedMs) / 2
  const words = `the server is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs < 0 ? 'behind' : 'ahead'} (± ${(uncertaintyMs / 1000).toFixed(1)} s)`
  const atLeastMs = Math.abs(offsetMs) - uncertaintyMs
  const remedy = 'Synchronise both clocks (NTP): a signature outside the window is refused.'
  if (atLeastMs > FAIL_MS) return fail(id, words, remedy)
  return atLeastMs > WARN_MS ? caution(id, words, remedy) : pass(id, words)
}
