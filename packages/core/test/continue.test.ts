import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { askForBody } from '@countersign/core/body'
import { expect, test } from '@jest/globals'
import { serve } from '../../../test/support/http-server.js'

/** What a client gets, to the end of the connection, from a server whose app is `work` and then answers. */
async function answerOf(
  expectation: string,
  work: (request: IncomingMessage, response: ServerResponse) => void,
  leaves = true,
): Promise<string> {
  const { server, port, close } = await serve((request, response) => {
    Object.assign(request, { res: response })
    work(request, response)
    response.end('done')
  })
  if (leaves) server.on('checkContinue', (request, response) => server.emit('request', request, response))
  const client = connect(port, '127.0.0.1').setEncoding('latin1')
  let text = ''
  client.on('data', (piece) => {
    text += piece
  })
  client.end(`POST / HTTP/1.1\r\nHost: tests\r\n${expectation}Content-Length: 1\r\nConnection: close\r\n\r\na`)
  await once(client, 'close')
  await close()
  return text
}

const times = (text: string) => text.split('HTTP/1.1 100 Continue\r\n').length - 1
const EXPECTS = 'Expect: 100-continue\r\n'

test.each(['100-continue', '100-Continue'])(
  'a client that waits with %s is asked for its body, once',
  async (value) => {
    const text = await answerOf(`Expect: ${value}\r\n`, (request) => {
      askForBody(request)
      askForBody(request)
    })
    expect(times(text)).toBe(1)
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  },
)

test('a client that does not wait is not asked', async () => {
  expect(await answerOf('', askForBody)).toMatch(/^HTTP\/1\.1 200/)
  expect(await answerOf('Expect: something\r\n', askForBody)).not.toContain('100 Continue')
})

test('where Node has asked, no gate asks again', async () => {
  // Express sets `res` alone: what Node has sent may not be known.
  const asks = (request: IncomingMessage) => {
    const { res } = request as unknown as { res: object }
    Object.defineProperty(res, '_sent100', { value: false, writable: true })
    askForBody(request)
  }
  expect(times(await answerOf(EXPECTS, askForBody, false))).toBe(1)
  expect(times(await answerOf(EXPECTS, asks, false))).toBe(1)
})

test('where the app has asked or has begun its answer, no gate does', async () => {
  const asked = await answerOf(EXPECTS, (request, response) => {
    response.writeContinue()
    askForBody(request)
  })
  expect(times(asked)).toBe(1)
  const begun = await answerOf(EXPECTS, (request, response) => {
    response.flushHeaders()
    askForBody(request)
  })
  expect(times(begun)).toBe(0)
})

test.each<object>([
  {},
  { headers: { expect: '100-continue' } },
  { headers: { expect: '100-continue' }, res: {} },
  { headers: { expect: '100-continue' }, res: {}, socket: null },
  { headers: { expect: '100-continue' }, res: {}, socket: { server: undefined } },
])('a request that an adapter built has no client to ask: %j', (request) => {
  expect(() => askForBody(request as IncomingMessage)).not.toThrow()
})
