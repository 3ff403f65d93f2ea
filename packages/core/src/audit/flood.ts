import type { AuditEvent, AuditEventInput } from './event.js'

/** Refusals of one reason from one address that are events of their own, in each window. */
const FREE = 100
const WINDOW_MS = 1000
const MAX_BUCKETS = 1024

interface Bucket {
  seen: number
  folded: number
  /** The first one that was folded, and the time of the last. */
  first: AuditEvent | undefined
  until: string
}

/**
 * Folds a flood: beyond 100 in a second, what is no success and has one type, gate and reason and comes from one address (of
 * IPv6, from one /64) is counted, and the count is one event. There are 1,024 buckets, and one for what finds none.
 */
export class FloodFold {
  readonly #buckets = new Map<string, Bucket>()
  #overflow = newBucket()
  #startMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  /** Events that were folded so far. */
  folded = 0
  readonly tell: (counted: AuditEventInput) => void

  constructor(tell: (counted: AuditEventInput) => void) {
    this.tell = tell
  }

  /** True when the event is counted, and needs no place of its own. */
  takes(event: AuditEvent): boolean {
    if (event.outcome === 'success' || event.type.startsWith('audit.')) return false
    const nowMs = performance.now()
    if (nowMs - this.#startMs >= WINDOW_MS) {
      this.flush()
      this.#startMs = nowMs
    }
    const bucket = this.#bucketOf(event)
    bucket.seen += 1
    if (bucket.seen <= FREE) return false
    bucket.folded += 1
    bucket.first ??= event
    bucket.until = event.time
    this.folded += 1
    this.#timer ??= setTimeout(() => this.flush(), this.#startMs + WINDOW_MS - nowMs).unref()
    return true
  }

  #bucketOf(event: AuditEvent): Bucket {
    const key = `${event.type} ${event.gate} ${event.reason} ${networkOf(event.http?.clientAddress)}`
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    if (this.#buckets.size >= MAX_BUCKETS) return this.#overflow
    const bucket = newBucket()
    this.#buckets.set(key, bucket)
    return bucket
  }

  /** Tells what was counted so far, and begins again. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#startMs = Number.NEGATIVE_INFINITY
    const buckets = [...this.#buckets.values()]
    const overflow = this.#overflow
    this.#buckets.clear()
    if (overflow.seen > 0) this.#overflow = newBucket()
    for (const { first, folded, until } of buckets) {
      if (first === undefined) continue
      const { gate, reason, owasp, outcome, severity, type, time: since, http } = first
      const attributes = { folded, event_type: type, network: networkOf(http?.clientAddress), since, until }
      this.tell({ type: 'audit.events.folded', gate, reason, owasp, outcome, severity, attributes })
    }
    if (overflow.first === undefined) return
    const { folded, until, first } = overflow
    this.tell({ type: 'audit.events.folded', attributes: { folded, network: 'others', since: first.time, until } })
  }
}

function newBucket(): Bucket {
  return { seen: 0, folded: 0, first: undefined, until: '' }
}

/** An address as one that its holder cannot change at will: IPv4 as it is, IPv6 by its /64. */
function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  if (!address.includes(':')) return address
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (mapped !== undefined) return mapped
  const [start = '', end] = address.replace(/%.*/, '').split('::')
  const left = start === '' ? [] : start.split(':')
  const right = end === undefined || end === '' ? [] : end.split(':')
  const zeros = end === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...new Array<string>(zeros).fill('0'), ...right].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
