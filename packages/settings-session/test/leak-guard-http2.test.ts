import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants, createServer, type Http2ServerResponse } from 'node:http2'
import { leakGuard } from '@countersign/settings-session'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { TOKEN } from './support/leaked-forms.js'

let client: ClientHttp2Session
let handler: (response: Http2ServerResponse) => unknown
const { audit, events } = recordedAudit()
const server = createServer()

beforeAll(async () => {
  const guard = leakGuard({ audit })
  server.on('request', (request, response) => guard(request as never, response as never, () => void handler(response)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
})
afterAll(async () => {
  client.close()
  server.close()
  await once(server, 'close')
})

async function ask() {
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => undefined)
  let status: number | undefined
  let body = ''
  stream.on('response', (headers) => {
    status = headers[':status']
  })
  stream.on('data', (chunk) => {
    body += chunk
  })
  stream.end()
  await new Promise((resolve) => stream.once('close', resolve))
  return { status, body, isCut: stream.rstCode === constants.NGHTTP2_INTERNAL_ERROR }
}

const PROBLEM = '{"type":"about:blank","title":"Internal Server Error","status":500}'

test.each<[string, typeof handler, number, string, boolean]>([
  ['a clean answer passes', (response) => response.end('hello l'), 200, 'hello l', false],
  ['a clean answer in parts passes', (response) => [response.write('a l'), response.end('1.b')], 200, 'a l1.b', false],
  ['writeHead sends the head', (response) => response.writeHead(201).end('made'), 201, 'made', false],
  ['a body with a token is a 500', (response) => response.end(TOKEN), 500, PROBLEM, false],
  ['a header with one is a 500', (response) => response.writeHead(200, { 'x-a': TOKEN }).end(), 500, PROBLEM, false],
  [
    'early hints with one are a 500',
    (response) => [response.writeEarlyHints({ link: `<${TOKEN}>` }), response.end('a')],
    500,
    PROBLEM,
    false,
  ],
  ['after the head a body with one is cut', (response) => response.writeHead(200).end(TOKEN), 200, '', true],
  [
    'trailers with one are cut',
    (response) => [response.write('a\n'), response.addTrailers({ 'x-a': TOKEN }), response.end()],
    200,
    'a\n',
    true,
  ],
])('[settings-leak] over HTTP/2 %s', async (_name, handle, status, body, isCut) => {
  handler = handle
  events.length = 0
  expect(await ask()).toEqual({ status, body, isCut })
  expect(events.map(({ type }) => type)).toEqual(isCut || status === 500 ? ['settings.leak.stopped'] : [])
})
