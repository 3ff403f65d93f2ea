import { type Check, fail, pass, warn } from '../checks.js'
import { parseUrl } from '../parse-url.js'
import { sendRequest } from './send-request.js'

const TIMEOUT_MS = 10_000
/** A `Date` header has whole seconds. */
const RESOLUTION_MS = 1000
const WARN_MS = 5000
/** Signatures of `rfc9421` may lie this far ahead. */
const FAIL_MS = 60_000

/** This machine's clock against the `Date` of a server. */
export async function checkClock(url: string, signal: AbortSignal): Promise<Check> {
  const id = 'clock'
  parseUrl(url)
  const sentMs = Date.now()
  const started = performance.now()
  const response = await sendRequest({ method: 'GET', url, headers: {}, body: new Uint8Array(0) }, TIMEOUT_MS, signal)
  response.destroy()
  const elapsedMs = performance.now() - started
  const serverMs = Date.parse(response.headers.date ?? '')
  if (Number.isNaN(serverMs)) return warn(id, 'the server sends no Date', 'Compare the clocks by hand.')
  // The server read its clock at some moment between sending and receiving, and cut it to the second.
  const offsetMs = serverMs + RESOLUTION_MS / 2 - (sentMs + elapsedMs / 2)
  const uncertaintyMs = (RESOLUTION_MS + elapsedMs) / 2
  const words = `the server is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs < 0 ? 'behind' : 'ahead'} (± ${(uncertaintyMs / 1000).toFixed(1)} s)`
  const atLeastMs = Math.abs(offsetMs) - uncertaintyMs
  const remedy = 'Set both clocks (NTP): a signature outside the window is refused.'
  if (atLeastMs > FAIL_MS) return fail(id, words, remedy)
  return atLeastMs > WARN_MS ? warn(id, words, remedy) : pass(id, words)
}
