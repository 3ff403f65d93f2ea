import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PrometheusServer } from '../support/prometheus-server.js'
import { RedisServer } from '../support/redis-server.js'
import { alertNames, alertsFile, alertsText, dashboardFiles, queriesOf, readDashboard } from './pages.js'
import { WatchedApp } from './watched-app.js'

const LIMIT_MS = 120_000

let folder: string
let redis: RedisServer
let app: WatchedApp
let prometheus: PrometheusServer

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-live-'))
  // The same rules that do not wait: what they wait for is in alerts.yml.
  const hasty = join(folder, 'hasty.yml')
  writeFileSync(hasty, alertsText.replace('name: countersign', 'name: hasty').replace(/\bfor: \w+/g, 'for: 0s'))
  redis = await RedisServer.start()
  app = await WatchedApp.start(redis)
  prometheus = await PrometheusServer.start({ targets: [app.target], rules: [alertsFile, hasty] })
}, LIMIT_MS)
afterAll(async () => {
  await prometheus?.stop()
  await app?.stop()
  await redis?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Asks until the answer holds, and returns it. */
async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The alerts that fire without waiting. */
async function firing(): Promise<readonly string[]> {
  const rules = await prometheus.rules()
  return rules.filter(({ state, duration }) => state === 'firing' && duration === 0).map(({ name }) => name)
}

test(
  '[operations-alerts] a real Prometheus loads the rules and scrapes the app',
  async () => {
    const rules = await until(
      () => prometheus.rules(),
      (loaded) => loaded.every(({ health }) => health !== 'unknown'),
    )
    expect(rules.map(({ name }) => name).sort()).toEqual([...alertNames, ...alertNames].sort())
    expect(rules.filter(({ health, lastError = '' }) => health !== 'ok' || lastError !== '')).toEqual([])
    const scraped = await until(
      () => prometheus.query('countersign_events_total'),
      (series) => series.length > 0,
    )
    expect(scraped.map(({ metric }) => metric.type)).toContain('settings.leak.stopped')
  },
  LIMIT_MS,
)

test(
  '[operations-dashboards] every query of the dashboards has data while the gates work',
  async () => {
    const open = dashboardFiles.flatMap((name) =>
      queriesOf(readDashboard(name)).map(([title, query]) => ({ title, query })),
    )
    expect(open.length).toBeGreaterThan(20)
    const empty = async () => {
      expect(await app.produceEverything()).toEqual({
        granted: 200,
        replayed: 401,
        missing: 401,
        revoked: 401,
        valid: 200,
        broken: 200,
        shared: 200,
        strict: 503,
      })
      const answers = await Promise.all(
        open.map(async ({ title, query }) => ({ title, query, series: await prometheus.query(query) })),
      )
      // A histogram's quantile is not a number where a gate has not decided in the window.
      return answers
        .filter(({ series }) => !series.some(({ value }) => Number.isFinite(value)))
        .map(({ title }) => title)
    }
    expect(await until(empty, (titles) => titles.length === 0)).toEqual([])

    const value = async (query: string) => (await prometheus.query(query))[0]?.value ?? 0
    for (const selector of [
      'countersign_decisions_total{reason="replayed"}',
      'countersign_decisions_total{reason="audit_sink",outcome="error"}',
      'countersign_events_total{type="mcp.credential.revoked"}',
      'countersign_sink_events_lost_total{sink="broken",cause="failed"}',
      'countersign_legacy_last_seen_seconds{caller="reports"}',
    ]) {
      expect([selector, (await value(selector)) > 0]).toEqual([selector, true])
    }
  },
  LIMIT_MS,
)

test(
  '[operations-alerts] an alert fires when Redis is stopped, and requests are granted again when it is back',
  async () => {
    expect(await firing()).not.toContain('CountersignUnavailable')
    await redis.kill()
    const [alert] = await until(
      async () => {
        expect(await app.useStore()).toBe(503)
        return (await prometheus.rules()).filter(
          ({ name, state }) => name === 'CountersignUnavailable' && state === 'firing',
        )
      },
      (alerts) => alerts.length > 0,
    )
    expect(alert?.annotations.runbook_url).toMatch(/\/operations\/incident-playbook#countersignunavailable$/)
    const [series] = await prometheus.query(
      'ALERTS{alertname="CountersignUnavailable", alertstate="firing", gate="hmac"}',
    )
    expect(series?.metric).toMatchObject({ reason: 'replay_store', severity: 'critical', job: 'app' })
    // The rule as it is shipped has begun to wait.
    const shipped = await until(
      async () => (await prometheus.rules()).find(({ name, duration }) => name === alert?.name && duration > 0),
      (rule) => rule?.state !== 'inactive',
    )
    expect(shipped).toMatchObject({ duration: 60, state: 'pending' })
    await redis.restart()
    expect(
      await until(
        () => app.useStore(),
        (status) => status !== 503,
      ),
    ).toBe(200)
  },
  LIMIT_MS,
)
