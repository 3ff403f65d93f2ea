import 'reflect-metadata'
import { audit } from '@countersign/audit'
import { signedRequest } from '@countersign/testing'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { serveOwnRoutes } from './access'
import { AppModule } from './app.module'

const reasons: (string | undefined)[] = []
audit.subscribe(({ type, reason }) => {
  if (type.startsWith('access.')) reasons.push(reason)
})

let app: INestApplication
let base: string
beforeAll(async () => {
  app = await NestFactory.create(AppModule, { rawBody: true, logger: false })
  serveOwnRoutes(app)
  await app.listen(0, '127.0.0.1')
  base = await app.getUrl()
})
afterAll(() => app.close())

const signed = (caller: 'scheduler' | 'reports', path: string, defect?: 'altered_body' | 'wrong_secret') => {
  const secret = process.env[`COUNTERSIGN_HMAC_SECRET_${caller.toUpperCase()}`] ?? ''
  const body = { job: 7, threadId: 't1', userId: 'u1' }
  const url = `${base}/internal/${path}`
  return signedRequest({ caller, version: 1, secret, audience: 'app.example.com', url, body, defect })
}
const send = async ({ url, ...init }: { url: string } & RequestInit) => {
  const response = await fetch(url, init)
  return [response.status, await response.json()]
}

test('a signed request reaches the controller, with its body and its principal', async () => {
  expect(await send(signed('scheduler', 'executions'))).toEqual([201, { startedBy: 'scheduler', job: 7 }])
})

test('what is signed wrongly is refused before it, and the guard refuses another caller', async () => {
  const statuses: unknown[] = []
  for (const request of [
    signed('scheduler', 'executions', 'altered_body'),
    signed('scheduler', 'executions', 'wrong_secret'),
    signed('reports', 'executions'),
  ]) {
    statuses.push((await send(request))[0])
  }
  expect(statuses).toEqual([401, 401, 403])
  expect(reasons.slice(-3)).toEqual(['digest_mismatch', 'bad_signature', undefined])
})

test('an agent reaches the routes of its gate alone, and nobody those of the others', async () => {
  const [, { authorization }] = await send(signed('scheduler', 'agents'))
  const headers = { authorization }
  expect(await send({ url: `${base}/agents/thread`, headers })).toEqual([200, { thread: 't1' }])
  for (const path of ['reports', 'settings', 'agents/thread']) {
    expect((await send({ url: `${base}/${path}` }))[0]).toBe(401)
  }
  expect((await send({ url: `${base}/internal/executions`, method: 'POST', headers }))[0]).toBe(401)
  expect((await send({ url: `${base}/settings`, headers }))[0]).toBe(401)
  expect(await send({ url: `${base}/health` })).toEqual([200, { ok: true }])
})
