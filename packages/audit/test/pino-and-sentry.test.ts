import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { createAudit } from '@countersign/core'
import { afterAll, describe, expect, test } from '@jest/globals'
import * as Sentry from '@sentry/node'
import { pino } from 'pino'
import { pinoSink } from '../src/pino.js'
import { sentrySink } from '../src/sentry.js'
import { decision, inFolder } from './harness.js'

describe('the pino sink', () => {
  test('[audit-pino] writes one JSON line an event, at the level of its severity', async () => {
    const lines: string[] = []
    const stream = new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(String(chunk))
        done()
      },
    })
    const audit = createAudit({ sinks: [pinoSink(pino({ base: null }, stream))] })
    audit.emit(decision({ type: 'access.granted', reason: undefined, principal: { kind: 'hmac', id: 'scheduler' } }))
    audit.emit(decision({ reason: 'bad\r\n{"level":60,"msg":"forged"}' }))
    audit.emit(decision({ type: 'access.unavailable', reason: 'replay_store' }))
    expect(await audit.flush()).toBe(true)
    const logged = lines.map((line) => JSON.parse(line) as { level: number; msg: string; audit: { type: string } })
    expect(logged.map(({ level, msg, audit: { type } }) => [level, msg, type])).toEqual([
      [30, 'access.granted hmac', 'access.granted'],
      [40, 'access.denied hmac bad{"level":60,"msg":"forged"}', 'access.denied'],
      [50, 'access.unavailable hmac replay_store', 'access.unavailable'],
    ])
    expect(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true)
  })

  test('[audit-pino] flushes a destination that writes later', () =>
    inFolder(async (folder) => {
      const dest = join(folder, 'app.log')
      const destination = pino.destination({ dest, sync: false, minLength: 4096 })
      await once(destination, 'ready')
      const audit = createAudit({ sinks: [pinoSink(pino(destination))] })
      audit.emit(decision())
      expect(readFileSync(dest, 'utf8')).toBe('')
      expect(await audit.flush()).toBe(true)
      expect(readFileSync(dest, 'utf8')).toContain('"type":"access.denied"')
      destination.end()
      await once(destination, 'close')
    }))

  test('[audit-options] refuses what is not a logger', () => {
    expect(() => pinoSink({} as never)).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' }))
  })
})

describe('the Sentry sink', () => {
  const sent: Sentry.Event[] = []
  Sentry.init({
    dsn: 'https://key@localhost.invalid/1',
    defaultIntegrations: false,
    // Nothing leaves the machine: what would be sent is kept.
    beforeSend: (event) => {
      sent.push(event)
      return null
    },
  })
  afterAll(() => Sentry.close(100))
  let clock = Date.UTC(2026, 0, 1)
  const audit = createAudit({ sinks: [sentrySink(Sentry)], now: () => clock })

  test('[audit-sentry] leaves breadcrumbs, and captures what is unavailable as an error that carries them', async () => {
    await Sentry.withIsolationScope(async () => {
      audit.emit(
        decision({ http: { method: 'POST', route: '/x', clientAddress: '10.0.0.1', userAgent: 'secret-agent' } }),
      )
      audit.emit(decision({ type: 'access.unavailable', reason: 'replay_store' }))
      await audit.flush()
    })
    expect(sent).toHaveLength(1)
    expect(sent[0]).toMatchObject({
      level: 'error',
      message: 'access.unavailable hmac replay_store',
      fingerprint: ['countersign', 'hmac', 'replay_store'],
      tags: { 'countersign.gate': 'hmac', 'countersign.reason': 'replay_store' },
      extra: { outcome: 'error', refusedSinceTheLast: 0 },
    })
    expect(sent[0]?.breadcrumbs).toMatchObject([
      {
        category: 'countersign',
        level: 'warning',
        message: 'access.denied hmac bad_signature',
        timestamp: 1_767_225_600,
        data: { route: '/x', principal: { kind: 'hmac', id: 'unknown' } },
      },
      { level: 'error', message: 'access.unavailable hmac replay_store' },
    ])
    expect(JSON.stringify(sent)).not.toMatch(/10\.0\.0\.1|secret-agent/)
  })

  test('[audit-sentry] captures an outage once a minute for each gate and reason, and counts the rest', async () => {
    sent.length = 0
    clock += 3_600_000
    for (let count = 0; count < 500; count += 1) audit.emit(decision({ type: 'access.unavailable', reason: 'keys' }))
    audit.emit(decision({ type: 'access.unavailable', reason: 'other' }))
    clock += 60_000
    audit.emit(decision({ type: 'access.unavailable', reason: 'keys' }))
    await audit.flush()
    expect(sent.map(({ message, extra }) => [message, extra?.refusedSinceTheLast])).toEqual([
      ['access.unavailable hmac keys', 0],
      ['access.unavailable hmac other', 0],
      ['access.unavailable hmac keys', 499],
    ])
  })

  test('[audit-options] refuses what is no SDK', () => {
    expect(() => sentrySink({} as never)).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' }))
  })
})
