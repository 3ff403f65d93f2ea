import { safeString } from '../audit/normalise.js'
import { warn } from '../homepage.js'
import { singleton } from '../singleton.js'
import type { Unavailable } from './verdict.js'

/** A dependency that requests find unavailable, as the operator was told. */
interface Outage {
  readonly kind: string
  readonly sinceMs: number
  /** When a request was last refused for it. */
  lastMs: number
  refused: number
}

/** Without a refusal for so long, and with a grant, it is over. */
const QUIET_MS = 5000
/** So long after an outage of a dependency was told, the next one is not: one that flaps must not flood the log. */
const REPEAT_MS = 60_000
/** Dependencies that are told of. They have configured names. */
const MAX_DEPENDENCIES = 64

/** What the process was told: of one outage, copies of the package tell once. */
interface OutageState {
  readonly outages: Map<string, Outage>
  readonly toldMs: Map<string, number>
}

const state = singleton<OutageState>('outages', () => ({ outages: new Map(), toldMs: new Map() }))
const { toldMs } = state

/** The outages that were told and are not over. Empty in good times, when a grant needs to look no further. */
export const outages: Map<string, Outage> = state.outages

/** Tells the operator that a dependency has become unavailable. */
export function tellOutage(kind: string, { dependency, detail }: Unavailable): void {
  const { issuer, error, code, failure } = detail?.attributes ?? {}
  const of = issuer === undefined ? '' : ` of ${safeString(String(issuer))}`
  const name = `${kind}: ${safeString(dependency)}${of}`
  const now = performance.now()
  const outage = outages.get(name)
  if (outage !== undefined) {
    outage.lastMs = now
    outage.refused += 1
    return
  }
  const last = toldMs.get(name)
  if (last === undefined ? toldMs.size >= MAX_DEPENDENCIES : now - last < REPEAT_MS) return
  toldMs.set(name, now)
  outages.set(name, { kind, sinceMs: now, lastMs: now, refused: 1 })
  // What an UnavailableError is called says nothing; what caused it does.
  const words = failure === undefined ? [error, code] : [failure]
  const why = words.filter((word) => word !== undefined).map((word) => safeString(String(word)))
  warn(
    'COUNTERSIGN_DEPENDENCY_UNAVAILABLE',
    `${name} is unavailable${why.length === 0 ? '' : ` (${why.join(', ')})`}`,
    'Requests that need it get 503 until it is reachable again. Clients keep their credentials.',
  )
}

/** Tells the operator of the outages that are over when a gate of this kind grants a request. */
export function tellRecovery(kind: string): void {
  const now = performance.now()
  for (const [name, { kind: of, sinceMs, lastMs, refused }] of outages) {
    if (of !== kind || now - lastMs < QUIET_MS) continue
    outages.delete(name)
    warn(
      'COUNTERSIGN_DEPENDENCY_RECOVERED',
      `${name} is available again: requests are granted, and none failed because of it in the last ${seconds(now - lastMs)} s`,
      `It was unavailable for ${seconds(lastMs - sinceMs)} s; ${refused} request(s) got 503.`,
    )
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000)
}
