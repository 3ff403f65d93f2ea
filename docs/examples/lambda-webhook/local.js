// Stands in for the function's URL: makes an event (payload format 2.0) of each request, and calls the handler.
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { handler } from './index.js'

createServer(async (request, response) => {
  const { pathname, search } = new URL(request.url, 'http://localhost')
  const http = { method: request.method, path: pathname, sourceIp: request.socket.remoteAddress }
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    headers: request.headers,
    requestContext: { http, stage: '$default' },
    body: (await buffer(request)).toString('base64'),
    isBase64Encoded: true,
  }
  const answer = await handler(event, {})
  response.writeHead(answer.statusCode, answer.headers)
  response.end(Buffer.from(answer.body, answer.isBase64Encoded ? 'base64' : 'utf8'))
})
  .listen(3000)
  .on('listening', () => console.log('receiver: http://localhost:3000/webhooks'))
