import type { IncomingHttpHeaders } from 'node:http'

const MIN_FRESH_MS = 60_000
const MAX_FRESH_MS = 3_600_000
const DEFAULT_FRESH_MS = 600_000

/**
 * For how many milliseconds a key set is fresh: the answer's `max-age` minus its `Age`, between 1 minute and 1 hour; 10
 * minutes if it does not say.
 */
export function freshMs(headers: IncomingHttpHeaders): number {
  const control = headers['cache-control'] ?? ''
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(control)) return MIN_FRESH_MS
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})/i.exec(control)?.[1]
  if (maxAge === undefined) return DEFAULT_FRESH_MS
  const age = /^\d{1,10}$/.test(headers.age ?? '') ? Number(headers.age) : 0
  return Math.min(MAX_FRESH_MS, Math.max(MIN_FRESH_MS, (Number(maxAge) - age) * 1000))
}
