import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as tick } from 'node:timers/promises'
import { denied, granted } from '@countersign/core/gate-kit'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { deciding, type KeyVerdict, keyGate } from './harness.js'

const open: RunningServer[] = []
async function served(app: express.Express): Promise<RunningServer> {
  const running = await serve(app)
  open.push(running)
  return running
}
afterEach(async () => {
  for (const running of open.splice(0)) await running.close()
})

const grant = () => granted({ kind: 'key' as const, id: 'the-key' })

describe('a request that is over', () => {
  async function abandoned(decide: () => KeyVerdict, onDenied: 'respond' | 'next') {
    let go: () => void = () => undefined
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    const built = deciding(
      async () => {
        await gone
        return decide()
      },
      { onDenied },
    )
    let isStarted: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      isStarted = resolve
    })
    const closed = new Promise<void>((resolve) => {
      built.app.set('closed', resolve)
    })
    const outer = express().use((incoming, response, next) => {
      response.on('close', () => (built.app.get('closed') as () => void)())
      isStarted()
      built.app(incoming, response, next)
    })
    const running = await served(outer)
    const socket = connect(running.port, '127.0.0.1')
    socket.write('GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await started
    socket.destroy()
    await once(socket, 'close')
    await closed
    go()
    await tick()
    return built
  }

  test.each(['respond', 'next'] as const)(
    '[core-client-gone] because its client has gone is reported and not answered (onDenied: %s)',
    async (onDenied) => {
      const { events, errors, handled } = await abandoned(() => denied('unknown'), onDenied)
      expect(events.map((event) => event.reason)).toEqual(['unknown'])
      expect(errors).toEqual([])
      expect(handled()).toBe(0)
    },
  )

  test.each<[string, () => KeyVerdict]>([
    ['granted', grant],
    ['denied', () => denied('unknown')],
    [
      'a bug',
      () => {
        throw new ReferenceError('bug')
      },
    ],
  ])('[core-client-gone] because another middleware answered is left alone (%s)', async (_name, decide) => {
    for (const onDenied of ['respond', 'next'] as const) {
      let go: () => void = () => undefined
      const answered = new Promise<void>((resolve) => {
        go = resolve
      })
      const { audit, events } = recordAudit()
      const errors: unknown[] = []
      let handled = 0
      const gate = keyGate(
        { audit, onDenied },
        {
          read: () => 'whatever',
          verify: async () => {
            await answered
            return decide()
          },
        },
      )
      const app = express()
      app.use((_request, response, next) => {
        next()
        response.status(504).end('too slow')
        go()
      }, gate)
      app.use((_request, response) => {
        handled += 1
        response.end()
      })
      app.use(((error, _request, _response, next) => {
        errors.push(error)
        next(error)
      }) as express.ErrorRequestHandler)
      const running = await served(app)
      const response = await fetch(`${running.url}/1`)
      expect([response.status, await response.text()]).toEqual([504, 'too slow'])
      await tick()
      expect([handled, errors, events.length]).toEqual([0, [], 1])
    }
  })
})
