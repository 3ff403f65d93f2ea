import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createAudit } from '@countersign/core'
import { auditEventTypes } from '@countersign/core/gate-kit'
import { afterAll, describe, expect, test } from '@jest/globals'
import { type Attributes, context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { Registry, register } from 'prom-client'
import { serve } from '../../../test/support/http-server.js'
import { openTelemetrySink } from '../src/opentelemetry.js'
import { prometheusSink } from '../src/prometheus.js'
import { decision } from './harness.js'

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: readonly { readonly expr: string }[]
}

/** What a scrape over HTTP gives, without the buckets, and without the types of events that there were none of. */
async function scrape(registry: Registry): Promise<string[]> {
  return (await scrapeAll(registry)).filter((line) => !/^countersign_events_total\{.*\} 0$/.test(line))
}

async function scrapeAll(registry: Registry): Promise<string[]> {
  const running = await serve(async (_request, response) => {
    response.setHeader('Content-Type', registry.contentType)
    response.end(await registry.metrics())
  })
  const text = await (await fetch(`${running.url}/metrics`)).text()
  await running.close()
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.includes('_bucket{'))
}

describe('the Prometheus sink', () => {
  test('[audit-prometheus] has exactly the series that are named', async () => {
    const registry = new Registry()
    const audit = createAudit({ sinks: [prometheusSink({ registry })], now: () => Date.UTC(2026, 0, 1) })
    const granted = { type: 'access.granted', reason: undefined, principal: { kind: 'hmac', id: 'scheduler' } } as const
    audit.emit(decision({ ...granted, latencyMs: 2 }))
    audit.emit(decision({ ...granted, latencyMs: 4 }))
    audit.emit(decision({ ...granted, latencyMs: 1, attributes: { format: 'legacy' } }))
    audit.emit(decision({ latencyMs: 0.5 }))
    audit.emit(decision({ type: 'access.unavailable', reason: 'replay_store', gate: 'hmac', latencyMs: 500 }))
    audit.emit(decision({ gate: 'oauth-bearer', reason: 'expired', latencyMs: 1 }))
    audit.emit({ type: 'mcp.credential.revoked', gate: 'mcp-credential' })
    audit.emit({ type: 'audit.sink.failed', attributes: { sink: 'x', failures: 3 } })
    audit.emit({ type: 'audit.events.dropped', attributes: { sink: 'x', dropped: 20 } })
    audit.emit({ type: 'audit.events.dropped', attributes: { sink: 'x', dropped: 1 } })
    expect((await scrape(registry)).sort()).toEqual([
      'countersign_decision_duration_seconds_count{gate="hmac",outcome="error"} 1',
      'countersign_decision_duration_seconds_count{gate="hmac",outcome="failure"} 1',
      'countersign_decision_duration_seconds_count{gate="hmac",outcome="success"} 3',
      'countersign_decision_duration_seconds_count{gate="oauth-bearer",outcome="failure"} 1',
      'countersign_decision_duration_seconds_sum{gate="hmac",outcome="error"} 0.5',
      'countersign_decision_duration_seconds_sum{gate="hmac",outcome="failure"} 0.0005',
      'countersign_decision_duration_seconds_sum{gate="hmac",outcome="success"} 0.007',
      'countersign_decision_duration_seconds_sum{gate="oauth-bearer",outcome="failure"} 0.001',
      'countersign_decisions_total{gate="hmac",outcome="error",reason="replay_store"} 1',
      'countersign_decisions_total{gate="hmac",outcome="failure",reason="bad_signature"} 1',
      'countersign_decisions_total{gate="hmac",outcome="success",reason=""} 3',
      'countersign_decisions_total{gate="oauth-bearer",outcome="failure",reason="expired"} 1',
      'countersign_events_total{type="audit.events.dropped"} 2',
      'countersign_events_total{type="audit.sink.failed"} 1',
      'countersign_events_total{type="mcp.credential.revoked"} 1',
      'countersign_legacy_last_seen_seconds{caller="scheduler"} 1767225600',
      'countersign_sink_events_lost_total{sink="x",cause="dropped"} 21',
      'countersign_sink_events_lost_total{sink="x",cause="failed"} 3',
    ])
  })

  test('[audit-prometheus] has every type of event that is no decision, at 0 before the first', async () => {
    const registry = new Registry()
    prometheusSink({ registry })
    const lines = (await scrapeAll(registry)).filter((line) => line.startsWith('countersign_events_total'))
    const types = Object.keys(auditEventTypes).filter((type) => !type.startsWith('access.'))
    expect(lines.sort()).toEqual(types.map((type) => `countersign_events_total{type="${type}"} 0`).sort())
    expect(types).toHaveLength(38)
  })

  test('[audit-prometheus] answers who still uses the old key or the shared secret, and what a report found', async () => {
    const registry = new Registry()
    const sink = prometheusSink({ registry, callers: ['scheduler', 'reports'] })
    const audit = createAudit({ sinks: [sink], now: () => Date.UTC(2026, 0, 1) })
    const of = (id: string, attributes: Record<string, string>) => {
      const granted = { type: 'access.granted', reason: undefined, principal: { kind: 'hmac', id } } as const
      audit.emit(decision({ ...granted, attributes }))
    }
    of('*shared*', { format: 'legacy', signature: 'valid', signature_caller: 'reports' })
    of('scheduler', { format: 'legacy', signature: 'missing' })
    of('scheduler', { format: 'legacy', signature: 'bad_signature', signature_caller: 'scheduler' })
    of('scheduler', { format: 'rfc9421', secret: 'shared' })
    of('reports', { format: 'rfc9421' })
    audit.emit(decision({ principal: { kind: 'hmac', id: 'unknown' }, attributes: { signature: 'not_checked' } }))
    audit.emit(decision({ reason: 'legacy_refused', principal: { kind: 'hmac', id: 'reports' } }))
    const lines = (await scrape(registry)).filter((line) => !line.includes('duration')).sort()
    expect(lines).toEqual([
      'countersign_decisions_total{gate="hmac",outcome="failure",reason="bad_signature",caller="other"} 1',
      'countersign_decisions_total{gate="hmac",outcome="failure",reason="legacy_refused",caller="reports"} 1',
      'countersign_decisions_total{gate="hmac",outcome="success",reason="",caller="other"} 1',
      'countersign_decisions_total{gate="hmac",outcome="success",reason="",caller="reports"} 1',
      'countersign_decisions_total{gate="hmac",outcome="success",reason="",caller="scheduler"} 3',
      'countersign_legacy_last_seen_seconds{caller="*shared*"} 1767225600',
      'countersign_legacy_last_seen_seconds{caller="scheduler"} 1767225600',
      'countersign_shared_secret_last_seen_seconds{caller="scheduler"} 1767225600',
      'countersign_signature_reports_total{caller="reports",outcome="valid"} 1',
      'countersign_signature_reports_total{caller="scheduler",outcome="bad_signature"} 1',
      'countersign_signature_reports_total{caller="scheduler",outcome="missing"} 1',
      'countersign_signature_reports_total{caller="unknown",outcome="not_checked"} 1',
    ])
  })

  test('the dashboard of the rollout asks for metrics and labels that are there', async () => {
    const registry = new Registry()
    prometheusSink({ registry, callers: ['scheduler'] })
    const file = new URL('../../../docs/operations/grafana-rollout.json', import.meta.url)
    const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: Panel[] }
    const [row, ...rest] = panels
    expect([row?.type, rest.length]).toEqual(['row', 5])
    for (const { title, type, targets = [] } of rest) {
      expect([title, type, targets.length > 0]).toEqual([
        title,
        expect.stringMatching(/^(?:timeseries|table|stat)$/),
        true,
      ])
      for (const { expr } of targets) {
        const [, name = '', selector = ''] = /(countersign_\w+)(?:\{([^}]*)\})?/.exec(expr) ?? []
        const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[] } | undefined
        expect([title, name, metric === undefined]).toEqual([title, name, false])
        const used = [
          ...Array.from(selector.matchAll(/(\w+)(?:=|!=|=~|!~)"/g), ([, label = '']) => label),
          ...Array.from(expr.matchAll(/by \(([^)]*)\)/g), ([, labels = '']) => labels.split(/, */)).flat(),
        ]
        expect([title, used.filter((label) => !metric?.labelNames.includes(label))]).toEqual([title, []])
      }
    }
  })

  test('[audit-prometheus] gets no series from a flood of 100 000 unknown callers', async () => {
    const registry = new Registry()
    const audit = createAudit({ sinks: [prometheusSink({ registry })] })
    audit.emit(decision({ latencyMs: 1 }))
    const before = (await scrape(registry)).length
    for (let count = 0; count < 100_000; count += 1) {
      audit.emit(
        decision({
          latencyMs: 1,
          principal: { kind: 'hmac', id: `caller-${count}` },
          credential: { id: `credential-${count}` },
          http: { method: 'POST', route: '/internal', userAgent: `agent-${count}`, clientAddress: `10.0.0.${count}` },
          attributes: { format: count % 2 === 0 ? 'legacy' : 'xHeaders' },
        }),
      )
    }
    const after = await scrape(registry)
    expect(after).toHaveLength(before)
    expect(after).toContain('countersign_decisions_total{gate="hmac",outcome="failure",reason="bad_signature"} 100001')
  })

  test('[audit-prometheus] counts into the default registry, and twice made into the same series', async () => {
    const audit = createAudit({ sinks: [prometheusSink(), prometheusSink()] })
    audit.emit(decision())
    expect(await scrape(register)).toContain(
      'countersign_decisions_total{gate="hmac",outcome="failure",reason="bad_signature"} 2',
    )
    register.clear()
  })

  test.each([
    [{ registery: new Registry() }, 'Did you mean "registry"?'],
    [{ registry: {} }, 'option "registry" must be a Registry of prom-client'],
    [{ buckets: [] }, 'option "buckets" must be a rising list of seconds above 0'],
    [{ buckets: [1, 1] }, 'option "buckets" must be a rising list'],
    [{ buckets: [0, 1] }, 'option "buckets" must be a rising list'],
  ])('[audit-options] refuses the options %#', (options, message) => {
    expect(() => prometheusSink(options as object)).toThrow(message)
  })
})

describe('the OpenTelemetry sink', () => {
  const metricsExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metricsExporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(tracerProvider)
  afterAll(async () => {
    await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()])
    trace.disable()
    context.disable()
  })

  /** What a reader exports: name, attributes and value of each point. */
  async function measure(of: PeriodicExportingMetricReader): Promise<[string, Attributes, unknown][]> {
    metricsExporter.reset()
    await of.forceFlush()
    const measured = metricsExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
    expect(measured.map(({ scope }) => scope.name)).toEqual(['@countersign/audit'])
    return measured.flatMap(({ metrics }) =>
      metrics.flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }): [string, Attributes, unknown] => [
          descriptor.name,
          attributes,
          typeof value === 'number' ? value : { count: value.count, sum: value.sum },
        ]),
      ),
    )
  }

  test('[audit-opentelemetry] counts and measures decisions by gate, outcome and reason', async () => {
    const audit = createAudit({ sinks: [openTelemetrySink({ meterProvider })] })
    audit.emit(decision({ latencyMs: 2 }))
    audit.emit(decision({ latencyMs: 4 }))
    audit.emit(decision({ type: 'access.granted', reason: undefined, latencyMs: 1 }))
    const points = await measure(reader)
    expect(points.filter(([name]) => name !== 'countersign.events')).toEqual([
      [
        'countersign.decisions',
        { 'countersign.gate': 'hmac', 'countersign.outcome': 'failure', 'countersign.reason': 'bad_signature' },
        2,
      ],
      ['countersign.decisions', { 'countersign.gate': 'hmac', 'countersign.outcome': 'success' }, 1],
      [
        'countersign.decision.duration',
        { 'countersign.gate': 'hmac', 'countersign.outcome': 'failure' },
        { count: 2, sum: 0.006 },
      ],
      [
        'countersign.decision.duration',
        { 'countersign.gate': 'hmac', 'countersign.outcome': 'success' },
        { count: 1, sum: 0.001 },
      ],
    ])
  })

  test('[audit-opentelemetry] counts other events by type, and what sinks lost', async () => {
    const own = new PeriodicExportingMetricReader({ exporter: metricsExporter, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [own] })
    const audit = createAudit({ sinks: [openTelemetrySink({ meterProvider: provider })] })
    audit.emit({ type: 'hmac.secret.rotated', gate: 'hmac' })
    audit.emit({ type: 'audit.sink.failed', attributes: { sink: 'x', failures: 3 } })
    audit.emit({ type: 'audit.events.dropped', attributes: { sink: 'x', dropped: 20 } })
    audit.emit({ type: 'audit.events.dropped', attributes: { sink: 'x', dropped: 1 } })
    const points = await measure(own)
    await provider.shutdown()
    const types = points
      .filter(([name]) => name === 'countersign.events')
      .map(([, { 'countersign.type': type }]) => type)
    expect(types.sort()).toEqual(
      Object.keys(auditEventTypes)
        .filter((type) => !type.startsWith('access.'))
        .sort(),
    )
    expect(points.filter(([, , value]) => value !== 0)).toEqual([
      ['countersign.events', { 'countersign.type': 'hmac.secret.rotated' }, 1],
      ['countersign.events', { 'countersign.type': 'audit.events.dropped' }, 2],
      ['countersign.events', { 'countersign.type': 'audit.sink.failed' }, 1],
      ['countersign.sink.events.lost', { 'countersign.sink': 'x', 'countersign.cause': 'failed' }, 3],
      ['countersign.sink.events.lost', { 'countersign.sink': 'x', 'countersign.cause': 'dropped' }, 21],
    ])
  })

  test('[audit-opentelemetry] describes the decision on the span of its own request, also with many at once', async () => {
    const audit = createAudit({ sinks: [openTelemetrySink({ meterProvider })] })
    const tracer = trace.getTracer('tests')
    const server = createServer((request, response) => {
      tracer.startActiveSpan(request.url ?? '', async (span) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        const attributes = { late_by_seconds: 63 }
        audit.emit(
          decision({ owasp: 'authn_login_fail', principal: { kind: 'hmac', id: request.url ?? '' }, attributes }),
        )
        span.end()
        response.end()
      })
    })
    const running = await serve((request, response) => void server.emit('request', request, response))
    await Promise.all(Array.from({ length: 20 }, async (_, index) => fetch(`${running.url}/${index}`)))
    await running.close()
    const finished = spans.getFinishedSpans()
    expect(finished).toHaveLength(20)
    for (const { name, attributes } of finished) {
      expect(attributes).toEqual({
        'countersign.gate': 'hmac',
        'countersign.outcome': 'failure',
        'countersign.reason': 'bad_signature',
        'countersign.owasp': 'authn_login_fail',
        'countersign.principal.kind': 'hmac',
        'countersign.principal.id': name,
        'countersign.attribute.late_by_seconds': 63,
      })
    }
  })

  test('[audit-opentelemetry] does nothing and harms nothing without an SDK and without a span', () => {
    const audit = createAudit({ sinks: [openTelemetrySink()] })
    audit.emit(decision())
    expect(audit.stats().sinks).toMatchObject([{ name: 'opentelemetry', failed: 0 }])
    expect(() => openTelemetrySink({ meterProvider: {} } as never)).toThrow('option "meterProvider"')
  })
})
