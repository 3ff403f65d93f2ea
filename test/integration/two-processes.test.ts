import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ChildApp, startChildApp } from '../support/child-app.js'
import { signInternal } from '../support/gates-app.js'
import { RedisServer } from '../support/redis-server.js'

let server: RedisServer
let one: ChildApp
let other: ChildApp

beforeAll(async () => {
  server = await RedisServer.start()
  const file = fileURLToPath(new URL('./gates-process.ts', import.meta.url))
  ;[one, other] = await Promise.all([
    startChildApp(file, { REDIS_URL: server.url }),
    startChildApp(file, { REDIS_URL: server.url }),
  ])
})
afterAll(async () => {
  await Promise.all([one?.stop(), other?.stop()])
  await server?.stop()
})

async function issue(app: ChildApp): Promise<{ id: string; authorization: string }> {
  const response = await fetch(`${app.url}/host/credentials`, { method: 'POST' })
  return (await response.json()) as { id: string; authorization: string }
}

async function useCredential(app: ChildApp, authorization: string): Promise<number> {
  return (await fetch(`${app.url}/agent`, { headers: { Authorization: authorization } })).status
}

test('a credential issued by one process resolves in the other and, once revoked by it, is refused immediately', async () => {
  const { id, authorization } = await issue(one)
  expect(await useCredential(other, authorization)).toBe(200)
  expect(await useCredential(one, authorization)).toBe(200)
  await fetch(`${other.url}/host/credentials/${id}`, { method: 'DELETE' })
  expect(await useCredential(one, authorization)).toBe(401)
  expect(await useCredential(other, authorization)).toBe(401)
})

test('a thread revoked by one process is refused by the other immediately', async () => {
  const { authorization } = await issue(one)
  expect(await useCredential(other, authorization)).toBe(200)
  await fetch(`${one.url}/host/threads/t1`, { method: 'DELETE' })
  expect(await useCredential(other, authorization)).toBe(401)
})

test('a signed request that one process accepted is refused by the other as replayed', async () => {
  const body = '{"run":1}'
  const headers = signInternal('http://app.example.com', body)
  const send = (app: ChildApp) => fetch(`${app.url}/internal`, { method: 'POST', headers, body })
  expect((await send(one)).status).toBe(200)
  expect((await send(other)).status).toBe(401)
  expect((await send(one)).status).toBe(401)
})

test('of 40 copies of one signed request, sent to both processes at once, exactly one is accepted', async () => {
  for (let run = 0; run < 5; run += 1) {
    const body = `{"copies":${run}}`
    const headers = signInternal('http://app.example.com', body)
    const sent = Array.from({ length: 40 }, (_, index) =>
      fetch(`${(index % 2 === 0 ? one : other).url}/internal`, { method: 'POST', headers, body }),
    )
    const statuses = (await Promise.all(sent)).map((response) => response.status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(39)
  }
})
