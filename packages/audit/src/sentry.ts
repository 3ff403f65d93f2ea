import { type AuditEvent, type AuditSink, OptionError } from '@countersign/core'
import { describeEvent } from './describe-event.js'

type SentryLevel = 'info' | 'warning' | 'error'

/** What the sink needs of a Sentry SDK: `import * as Sentry from '@sentry/node'`, or another SDK of the same family. */
export interface SentrySdk {
  addBreadcrumb(breadcrumb: {
    category: string
    level: SentryLevel
    message: string
    timestamp: number
    data: Record<string, unknown>
  }): void
  captureMessage(
    message: string,
    context: {
      level: SentryLevel
      fingerprint: string[]
      tags: Record<string, string>
      extra: Record<string, unknown>
    },
  ): unknown
  flush?(timeoutMs?: number): PromiseLike<boolean>
}

const LEVELS: Readonly<Record<AuditEvent['severity'], SentryLevel>> = {
  info: 'info',
  warning: 'warning',
  critical: 'error',
}
const INTERVAL_MS = 60_000

/**
 * Leaves a breadcrumb in Sentry for each event, and captures an `access.unavailable` as an error: once a minute at most
 * for each gate and reason, with how many there were, since an outage refuses every request. No client address and no
 * user agent are sent.
 *
 * @throws {OptionError} when the argument is not a Sentry SDK.
 * @example
 * audit.subscribe(sentrySink(Sentry))
 */
export function sentrySink(sdk: SentrySdk): AuditSink {
  if (typeof sdk?.addBreadcrumb !== 'function' || typeof sdk.captureMessage !== 'function') {
    const message = "sentrySink: the argument must be a Sentry SDK: import * as Sentry from '@sentry/node'"
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'sdk', message)
  }
  const captured = new Map<string, { atMs: number; since: number }>()

  function write(event: AuditEvent): void {
    sdk.addBreadcrumb({
      category: 'countersign',
      level: LEVELS[event.severity],
      message: describeEvent(event),
      timestamp: Date.parse(event.time) / 1000,
      data: dataOf(event),
    })
    if (event.type === 'access.unavailable') capture(event)
  }

  function capture(event: AuditEvent): void {
    const { gate = '', reason = '' } = event
    const key = `${gate} ${reason}`
    const atMs = Date.parse(event.time)
    const last = captured.get(key)
    if (last !== undefined && atMs - last.atMs < INTERVAL_MS) {
      last.since += 1
      return
    }
    captured.set(key, { atMs, since: 0 })
    sdk.captureMessage(describeEvent(event), {
      level: 'error',
      fingerprint: ['countersign', gate, reason],
      tags: { 'countersign.gate': gate, 'countersign.reason': reason },
      extra: { ...dataOf(event), refusedSinceTheLast: last?.since ?? 0 },
    })
  }

  return {
    name: 'sentry',
    write,
    flush: async () => {
      if ((await sdk.flush?.(2000)) === false) throw new Error('Sentry did not take everything in time')
    },
  }
}

function dataOf({ id, outcome, owasp, principal, credential, http, latencyMs, storeMs, attributes }: AuditEvent) {
  const { method, route, status, requestId } = http ?? {}
  const all = {
    id,
    outcome,
    owasp,
    principal,
    credential,
    method,
    route,
    status,
    requestId,
    latencyMs,
    storeMs,
    attributes,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
