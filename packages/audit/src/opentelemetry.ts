import type { AuditEvent, AuditSink } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { type Attributes, type MeterProvider, metrics, trace } from '@opentelemetry/api'
import { isDecision, lossOf, otherTypes } from './counted.js'

/** Options of {@link openTelemetrySink}. */
export interface OpenTelemetrySinkOptions {
  /** Default: the global one, asked for at the first event, so that the SDK may start after the sink is made. */
  readonly meterProvider?: MeterProvider
}

const RULES = { meterProvider: option.port<MeterProvider>('a MeterProvider', 'getMeter') }
const METER = '@countersign/audit'

/**
 * Measures decisions with OpenTelemetry, and describes them on the span that is active: the metrics
 * `countersign.decisions` and `countersign.decision.duration` (seconds), and the span's attributes `countersign.gate`,
 * `.outcome`, `.reason`, `.owasp`, `.principal.kind` and `.principal.id`, and for what is not granted the attributes of its event
 * under `countersign.attribute.`. With stacked gates, the span keeps the last one. What is no decision is in
 * `countersign.events`, by `countersign.type`: each type of the catalogue is 0 from the first event on. What sinks lost is in
 * `countersign.sink.events.lost`, by `countersign.sink` and `countersign.cause`.
 *
 * @throws {OptionError}
 * @example
 * audit.subscribe(openTelemetrySink())
 */
export function openTelemetrySink(options: OpenTelemetrySinkOptions = {}): AuditSink {
  const { meterProvider } = resolveOptions('openTelemetrySink', options, RULES)
  let instruments: ReturnType<typeof createInstruments> | undefined

  function write(event: AuditEvent): void {
    instruments ??= createInstruments(meterProvider ?? metrics.getMeterProvider())
    if (isDecision(event.type)) return writeDecision(event, instruments)
    instruments.events.add(1, { 'countersign.type': event.type })
    const loss = lossOf(event)
    if (loss === undefined) return
    instruments.lost.add(loss.count, { 'countersign.sink': loss.sink, 'countersign.cause': loss.cause })
  }
  return { name: 'opentelemetry', write }
}

function writeDecision(event: AuditEvent, { decisions, duration }: ReturnType<typeof createInstruments>): void {
  const { latencyMs } = event
  decisions.add(1, attributesOf(event, ['gate', 'outcome', 'reason']))
  if (latencyMs !== undefined) duration.record(latencyMs / 1000, attributesOf(event, ['gate', 'outcome']))
  trace.getActiveSpan()?.setAttributes({
    ...attributesOf(event, ['gate', 'outcome', 'reason', 'owasp']),
    'countersign.principal.kind': event.principal?.kind,
    'countersign.principal.id': event.principal?.id,
    ...diagnosisOf(event),
  })
}

function createInstruments(provider: MeterProvider) {
  const meter = provider.getMeter(METER)
  const events = meter.createCounter('countersign.events', {
    description: 'Changes of state and other events that are no decisions, by type',
    unit: '{event}',
  })
  for (const type of otherTypes) events.add(0, { 'countersign.type': type })
  return {
    events,
    lost: meter.createCounter('countersign.sink.events.lost', {
      description: 'Events that an audit sink failed to take (failed) or was too slow for (dropped)',
      unit: '{event}',
    }),
    decisions: meter.createCounter('countersign.decisions', {
      description: 'Decisions of the gates',
      unit: '{decision}',
    }),
    duration: meter.createHistogram('countersign.decision.duration', {
      description: 'Duration of decisions',
      unit: 's',
      advice: {
        explicitBucketBoundaries: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
      },
    }),
  }
}

/** What a refusal or an outage saw and expected. */
function diagnosisOf({ outcome, attributes = {} }: AuditEvent): Attributes {
  if (outcome === 'success') return {}
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`countersign.attribute.${name}`, value]))
}

function attributesOf(event: AuditEvent, names: readonly ('gate' | 'outcome' | 'reason' | 'owasp')[]): Attributes {
  const present = names.filter((name) => event[name] !== undefined)
  return Object.fromEntries(present.map((name) => [`countersign.${name}`, event[name]]))
}
