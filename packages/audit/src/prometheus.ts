import type { AuditEvent, AuditSink } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { Counter, Gauge, Histogram, type Registry, register } from 'prom-client'
import { isDecision, lossOf, otherTypes } from './counted.js'

/** Options of {@link prometheusSink}. */
export interface PrometheusSinkOptions {
  /** Default: the default registry of prom-client. */
  readonly registry?: Registry
  /** Upper bounds of the latency histogram, in seconds. Default 0.1 ms to 1 s. */
  readonly buckets?: readonly number[]
  /**
   * Callers whose decisions are told apart: `countersign_decisions_total` then has the label `caller`, which is one of these or
   * `other`.
   */
  readonly callers?: readonly string[]
}

const RULES = {
  callers: option.strings(/^.{1,64}$/, 'a list of callers'),
  registry: option.port<Registry>('a Registry of prom-client', 'registerMetric', 'getSingleMetric').default(register),
  buckets: option
    .custom<number[]>('a rising list of seconds above 0', (value) => (isRising(value) ? [...value] : undefined))
    .default([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]),
}

/**
 * Counts decisions for Prometheus: `countersign_decisions_total{gate,outcome,reason}`,
 * `countersign_decision_duration_seconds{gate,outcome}`, and `countersign_legacy_last_seen_seconds{caller}`, the Unix
 * time at which a caller last used a legacy key. For the rollout of signatures
 * `countersign_signature_reports_total{caller,outcome}`, what a gate in report mode found, and
 * `countersign_shared_secret_last_seen_seconds{caller}`, the Unix time at which a caller last signed with the shared secret.
 * What is no decision is in `countersign_events_total{type}`, where each type of the catalogue is 0 from the start, so that a
 * first event is a rise; what sinks lost in `countersign_sink_events_lost_total{sink,cause}`. Every label comes from a configured
 * or closed set, so no flood of requests adds a series.
 *
 * @throws {OptionError}
 * @example
 * audit.subscribe(prometheusSink())
 */
export function prometheusSink(options: PrometheusSinkOptions = {}): AuditSink {
  const { registry, buckets, callers } = resolveOptions('prometheusSink', options, RULES)
  const decisions = metric(registry, 'countersign_decisions_total', (name) => {
    const help = 'Decisions of the gates. The reason is empty for a grant.'
    return new Counter({
      name,
      help,
      labelNames: callers === undefined ? ['gate', 'outcome', 'reason'] : ['gate', 'outcome', 'reason', 'caller'],
      registers: [registry],
    })
  })
  const duration = metric(registry, 'countersign_decision_duration_seconds', (name) => {
    const help = 'Duration of decisions in seconds.'
    return new Histogram({ name, help, labelNames: ['gate', 'outcome'], buckets, registers: [registry] })
  })
  const legacy = metric(registry, 'countersign_legacy_last_seen_seconds', (name) => {
    const help = 'Unix time at which a caller was last granted access with a legacy key instead of a signature.'
    return new Gauge({ name, help, labelNames: ['caller'], registers: [registry] })
  })
  const shared = metric(registry, 'countersign_shared_secret_last_seen_seconds', (name) => {
    const help = 'Unix time at which a caller was last granted access with the shared secret instead of its own.'
    return new Gauge({ name, help, labelNames: ['caller'], registers: [registry] })
  })
  const reports = metric(registry, 'countersign_signature_reports_total', (name) => {
    const help = 'Result of each signature while the old key decides: valid, missing or why it is refused.'
    return new Counter({ name, help, labelNames: ['caller', 'outcome'], registers: [registry] })
  })

  const events = metric(registry, 'countersign_events_total', (name) => {
    const help = 'State changes and other events that are not decisions, by type.'
    const counter = new Counter({ name, help, labelNames: ['type'], registers: [registry] })
    for (const type of otherTypes) counter.inc({ type }, 0)
    return counter
  })
  const lost = metric(registry, 'countersign_sink_events_lost_total', (name) => {
    const help = 'Events that an audit sink rejected (failed) or was too slow for (dropped).'
    return new Counter({ name, help, labelNames: ['sink', 'cause'], registers: [registry] })
  })

  function write(event: AuditEvent): void {
    const { type } = event
    if (isDecision(type)) return writeDecision(event)
    events.inc({ type })
    const loss = lossOf(event)
    if (loss !== undefined) lost.inc({ sink: loss.sink, cause: loss.cause }, loss.count)
  }

  function writeDecision(event: AuditEvent): void {
    const { type, gate = '', outcome, reason = '', latencyMs, principal, attributes, time } = event
    const caller = principal?.id ?? 'unknown'
    if (callers === undefined) decisions.inc({ gate, outcome, reason })
    else decisions.inc({ gate, outcome, reason, caller: callers.includes(caller) ? caller : 'other' })
    if (latencyMs !== undefined) duration.observe({ gate, outcome }, latencyMs / 1000)
    if (gate !== 'hmac' && attributes?.format !== 'legacy') return
    const { format, secret, signature, signature_caller: signer } = attributes ?? {}
    if (type === 'access.granted') {
      if (format === 'legacy') legacy.set({ caller }, Date.parse(time) / 1000)
      if (secret === 'shared') shared.set({ caller }, Date.parse(time) / 1000)
    }
    // Of a key that several callers share, the signature says whose it was.
    if (signature !== undefined) reports.inc({ caller: String(signer ?? caller), outcome: String(signature) })
  }
  return { name: 'prometheus', write }
}

/** The metric of that name, made once for each registry: two sinks on one count into the same series. */
function metric<M>(registry: Registry, name: string, make: (name: string) => M): M {
  return (registry.getSingleMetric(name) as M | undefined) ?? make(name)
}

function isRising(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((bound, index) => Number.isFinite(bound) && bound > (index === 0 ? 0 : value[index - 1]))
  )
}
