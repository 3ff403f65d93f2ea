import 'reflect-metadata'
import { signedRequest } from '@countersign/testing'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { AUDIENCE, credentials, reasons, SECRET } from './access'
import { AppModule } from './app.module'

let app: INestApplication
let base: string
beforeAll(async () => {
  app = await NestFactory.create(AppModule, { rawBody: true, logger: false })
  await app.listen(0, '127.0.0.1')
  base = await app.getUrl()
})
afterAll(() => app.close())

const signed = (caller: string, defect?: 'altered_body' | 'wrong_secret') => {
  const url = `${base}/internal/executions/e1`
  return signedRequest({ caller, version: 1, secret: SECRET, audience: AUDIENCE, url, body: { job: 7 }, defect })
}
const send = async ({ url, ...init }: { url: string } & RequestInit) => {
  const response = await fetch(url, init)
  return [response.status, await response.json()]
}

test('a signed request reaches the controller, with its body and its principal', async () => {
  expect(await send(signed('scheduler'))).toEqual([201, { caller: 'scheduler', id: 'e1', job: 7 }])
})

test('what is signed wrongly is refused before it, and the guard refuses another caller', async () => {
  const refusals = [signed('scheduler', 'altered_body'), signed('scheduler', 'wrong_secret'), signed('reports')]
  const statuses: unknown[] = []
  for (const request of refusals) statuses.push((await send(request))[0])
  expect(statuses).toEqual([401, 401, 403])
  expect(reasons().slice(-3)).toEqual(['digest_mismatch', 'bad_signature', undefined])
})

test('an agent reaches the routes of its gate alone', async () => {
  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
  const headers = { authorization: issued.authorizationHeader }
  expect(await send({ url: `${base}/agents/thread`, headers })).toEqual([200, { thread: 't1' }])
  expect((await send({ url: `${base}/agents/thread` }))[0]).toBe(401)
  expect((await send({ url: `${base}/internal/executions/e1`, method: 'POST', headers }))[0]).toBe(401)
  expect(await send({ url: `${base}/health` })).toEqual([200, { ok: true }])
})
