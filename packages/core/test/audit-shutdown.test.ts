import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import { type AuditEvent, createAudit, shutdown } from '@countersign/core'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import express from 'express'
import { decision, settled } from '../../../test/support/audit-events.js'
import { serve } from '../../../test/support/http-server.js'
import { keyGate } from './harness.js'

const key = { 'x-key': 'good' }

/** An app whose handler answers when the test lets it. */
async function slowApp() {
  const told: AuditEvent[] = []
  const closed: string[] = []
  const audit = createAudit({
    sinks: [{ write: (event) => void told.push(event), close: () => void closed.push('sink') }],
  })
  const app = express()
  const arrived = new Promise<() => void>((resolve) => {
    app.get('/', keyGate({ audit }), (_request, response) => resolve(() => response.end('done')))
  })
  return { audit, told, closed, arrived, running: await serve(app) }
}

describe('shutdown', () => {
  test('[audit-shutdown] lets a request end, writes and closes the sinks after it, and accepts no connection meanwhile', async () => {
    const { audit, told, closed, arrived, running } = await slowApp()
    const agent = new Agent({ keepAlive: true })
    const answered = new Promise<number | undefined>((resolve, reject) => {
      get(running.url, { agent, headers: key }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      }).on('error', reject)
    })
    const answer = await arrived
    let isDown = false
    const down = shutdown(running.server, { audit, graceSeconds: 60 }).then(() => {
      isDown = true
    })
    await settled()
    await expect(fetch(running.url, { headers: key })).rejects.toThrow('fetch failed')
    expect([isDown, closed]).toEqual([false, []])
    answer()
    expect(await answered).toBe(200)
    // Not after the minute, although the client would keep its connection.
    await down
    expect([told.map(({ type }) => type), closed]).toEqual([['access.granted'], ['sink']])
    agent.destroy()
  })

  test('[audit-shutdown] cuts what has not ended in time', async () => {
    const { audit, closed, arrived, running } = await slowApp()
    const request = get(running.url, { headers: key })
    const cut = once(request, 'error')
    await arrived
    await shutdown(running.server, { audit, graceSeconds: 0 })
    expect(await cut).toMatchObject([{ code: 'ECONNRESET' }])
    expect(closed).toEqual(['sink'])
  })

  test('[audit-shutdown] of a server that does not run closes the audit, and what is none is refused', async () => {
    const audit = createAudit()
    await shutdown(createServer(), { audit })
    expect(audit.emit(decision({ type: 'access.granted' }))).toBe(false)
    await expect(shutdown({} as never)).rejects.toThrow('option "server" must be an HTTP or HTTPS server')
    await expect(shutdown(createServer(), { grace: 5 } as never)).rejects.toThrow('unknown option "grace"')
  })

  test('[audit-shutdown] a gate grants nothing into an emitter that is closed, whatever sinks it had', async () => {
    for (const sinks of [[], [() => undefined]]) {
      const audit = createAudit({ sinks })
      const running = await serve(
        express().get('/', keyGate({ audit }), (_request, response) => void response.end('in')),
      )
      const status = async () => (await fetch(running.url, { headers: key })).status
      expect(await status()).toBe(200)
      await audit.close()
      expect(await status()).toBe(503)
      expect((await fetch(running.url)).status).toBe(401)
      await running.close()
    }
  })
})

describe('a sink that emits for each event', () => {
  afterEach(() => {
    jest.restoreAllMocks()
  })

  test.each<[string, (emit: () => unknown) => void | Promise<void>]>([
    ['immediately', (emit) => void emit()],
    [
      'later in the same turn',
      async (emit) => {
        await undefined
        void emit()
      },
    ],
    [
      'twice, in a later turn',
      async (emit) => {
        await settled()
        void emit()
        void emit()
      },
    ],
  ])('[audit-isolation] %s, required or not, hangs no process and no flush', async (_name, echo) => {
    jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    for (const required of [false, true]) {
      const audit = createAudit()
      let isStopped = false
      audit.subscribe(() => (isStopped ? undefined : echo(() => audit.emit(decision({ type: 'access.granted' })))), {
        required,
        maxQueue: 100,
      })
      void audit.emit(decision({ type: 'access.granted' }))
      // The event loop turns.
      for (let count = 0; count < 5; count += 1) await settled()
      if (!required) expect(await audit.flush(60_000)).toBe(true)
      isStopped = true
      await audit.close(60_000)
    }
  })

  test('[audit-isolation] is told of what it emitted a few times, and then no more', () => {
    const audit = createAudit()
    let told = 0
    audit.subscribe(() => {
      told += 1
      audit.emit(decision())
    })
    audit.emit(decision())
    expect(told).toBe(5)
    expect(audit.stats().sinks).toMatchObject([{ queued: 0, dropped: 1 }])
  })
})
