import { expect, test } from '@jest/globals'
import { agent, mcpApp, send } from './harness.js'

test('a credential that a middleware puts into req.headers alone is 500 with a code', async () => {
  let authorization = ''
  const app = await mcpApp({
    before: [
      (request, _response, next) => {
        request.headers.authorization = authorization
        next()
      },
    ],
  })
  authorization = (await app.credentials.issue(agent)).authorizationHeader
  for (const sent of [{}, { authorization: 'Bearer another' }]) {
    expect((await send(app.port, sent)).status).toBe(500)
    expect(app.events.at(-1)).toMatchObject({
      reason: 'internal_error',
      attributes: { code: 'ERR_COUNTERSIGN_HEADER_REWRITTEN' },
    })
  }
  expect((await send(app.port, { authorization })).status).toBe(200)
  await app.close()
})
