import { Agent, get } from 'node:http'
import { type Audit, type AuditSinkFunction, createAudit } from '@countersign/core'
import type { AuditEventInput } from '@countersign/core/gate-kit'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import express from 'express'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { keyGate } from './harness.js'

let warn: jest.SpiedFunction<typeof process.emitWarning>
let running: RunningServer
/** Microseconds of CPU that one refused request costs, the client's part included. */
let requestCost: number

const event: AuditEventInput = {
  type: 'access.denied',
  gate: 'key',
  reason: 'unknown',
  owasp: 'authn_login_fail',
  principal: { kind: 'key', id: 'unknown' },
  http: { method: 'GET', route: '/', status: 401, clientAddress: '127.0.0.1', userAgent: 'tests' },
  latencyMs: 0.2,
}

beforeAll(async () => {
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const audit = createAudit({ sinks: [() => undefined] })
  running = await serve(express().get('/', keyGate({ audit })))
  const agent = new Agent({ keepAlive: true })
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const options = { port: running.port, agent, headers: { 'x-key': 'bad' } }
      get(options, (response) => response.resume().on('end', resolve)).on('error', reject)
    })
  requestCost = (await leastCpuMs({ requests: times(200, ask) })).requests / 200
  agent.destroy()
}, 60_000)
afterAll(async () => {
  await running.close()
  warn.mockRestore()
})

const times = (count: number, work: () => unknown) => async () => {
  for (let index = 0; index < count; index += 1) await work()
}

test.each<[string, AuditSinkFunction]>([
  [
    'throws',
    () => {
      throw new Error('a bug')
    },
  ],
  ['rejects', async () => Promise.reject(new Error('a bug'))],
  ['hangs', () => new Promise(() => undefined)],
  ['is slow', () => new Promise((resolve) => void setTimeout(resolve, 5).unref())],
])(
  '[core-bad-sinks] a sink that %s makes no request dearer by 5 %, and what it loses is counted',
  async (_name, write) => {
    const emitter = (...sinks: AuditSinkFunction[]): Audit => createAudit({ sinks: [() => undefined, ...sinks] })
    const [without, with_] = [emitter(), emitter(write)]
    const { usual, burdened } = await leastCpuMs({
      usual: times(5_000, () => without.emit(event)),
      burdened: times(5_000, () => with_.emit(event)),
    })
    expect((burdened - usual) / 5_000).toBeLessThan(0.05 * requestCost)
    const [good, bad] = with_.stats().sinks
    expect(good).toMatchObject({ queued: 0, dropped: 0, failed: 0 })
    // Of 25 000 events each is written, waits, failed, or was dropped or folded and counted; those that wait are bounded.
    expect(bad?.queued).toBeLessThanOrEqual(1000)
    expect((bad?.failed ?? 0) + (bad?.dropped ?? 0) + (bad?.folded ?? 0)).toBeGreaterThan(20_000)
  },
  60_000,
)
