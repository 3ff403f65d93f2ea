import { leakGuard } from '@countersign/settings-session'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Response } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { FORMS, TOKEN } from './support/leaked-forms.js'
import { until } from './support/until.js'

type Handler = (response: Response) => unknown

let server: RunningServer
let events: ReturnType<typeof recordedAudit>['events']
let handler: Handler

beforeEach(async () => {
  const recorded = recordedAudit()
  events = recorded.events
  const app = express().use(leakGuard({ audit: recorded.audit }), (_request, response) => void handler(response))
  server = await serve(app)
})
afterEach(() => server.close())

const stopped = () => events.map(({ type, attributes }) => [type, attributes?.where])

describe('[settings-leak] leakGuard destroys a stream before a token in it', () => {
  /** What reached the client of a body whose second part is written when the first one has come. */
  async function stream(first: string, rest: readonly (string | Buffer)[], before?: Handler) {
    let response: Response | undefined
    const called: (Error | null | undefined)[] = []
    handler = (given) => {
      response = given
      before?.(given)
      given.write(first)
    }
    const reader = ((await fetch(server.url)).body as ReadableStream<Uint8Array>).getReader()
    let text = ''
    while (text !== first) text += Buffer.from((await reader.read()).value ?? []).toString('latin1')
    for (const part of rest) response?.write(part, (error) => void called.push(error))
    response?.end()
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        text += Buffer.from(next.value).toString('latin1')
      }
      return { text, isCut: false, called }
    } catch {
      return { text, isCut: true, called }
    }
  }

  test.each(['as it is', 'JSON', 'percent in HTML in JSON', 'MarkdownV2 in JSON', 'base64'])(
    '%s, wherever it is split',
    async (name) => {
      const whole = Buffer.from(FORMS[name]?.(TOKEN) as string)
      for (let cut = 1; cut < whole.length; cut += Math.ceil(whole.length / 16)) {
        const { text, isCut } = await stream('data: hello\n\n', [
          whole.subarray(0, cut),
          whole.subarray(cut),
          '\n\nmore',
        ])
        expect([cut, text, isCut]).toEqual([cut, 'data: hello\n\n', true])
      }
      expect(new Set(stopped().flat())).toEqual(new Set(['settings.leak.stopped', 'body']))
      expect(events[0]?.http?.status).toBeUndefined()
    },
  )

  test('base64 in lines, byte by byte, when the line that has its first two bytes was sent', async () => {
    const text = Buffer.from(`${'a'.repeat(55)}${TOKEN}`).toString('base64')
    const line = `${text.slice(0, 76)}\n`
    const sent = await stream(line, text.slice(76).split(''))
    expect([sent.text, sent.isCut]).toEqual([line, true])
    expect(stopped()).toEqual([['settings.leak.stopped', 'body']])
  })

  test('and what the app writes afterwards goes nowhere, its callbacks told so', async () => {
    const { isCut, called } = await stream('a\n', [TOKEN, 'b', 'c'])
    await until(
      () => called.length,
      (length) => length === 3,
    )
    expect([isCut, called.every((error) => error instanceof Error)]).toEqual([true, true])
  })

  test('in trailers', async () => {
    const { isCut } = await stream('a\n', [], (given) => void setImmediate(() => given.addTrailers({ 'x-sum': TOKEN })))
    expect([isCut, stopped()]).toEqual([true, [['settings.leak.stopped', 'header']]])
  })
})
