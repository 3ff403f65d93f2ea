import { randomBytes } from 'node:crypto'
import { requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { type PostgresSecretStore, postgresSecrets } from '@countersign/hmac/postgres'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express from 'express'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { AUDIENCE, SECRET, send, signed } from './harness.js'
import { migration } from './postgres-harness.js'

const key = () => randomBytes(32).toString('base64')
const [K1, K2] = [`k1:${key()}`, `k2:${key()}`]
/** What the stores promise: within it a change reaches every verifier. */
const BOUND_MS = 1000

let server: PostgresServer
const pools: pg.Pool[] = []
const gates: RunningServer[] = []

/** A store with a pool and a cache of its own, as each process has. */
function storeWith(keks: string): PostgresSecretStore {
  const pool = new pg.Pool({ connectionString: server.url, max: 3 })
  pools.push(pool)
  return postgresSecrets(pool, { keks, cacheSeconds: BOUND_MS / 1000, audit: recordedAudit().audit })
}

beforeAll(async () => {
  server = await PostgresServer.start()
  const admin = storeWith(K1)
  await pools[0]?.query(migration)
  await admin.insert({ caller: 'scheduler', version: 1, secret: SECRET })
  for (const secrets of [storeWith(`${K1},${K2}`), storeWith(`${K1},${K2}`)]) {
    const options = { secrets, callers: ['scheduler'], audience: AUDIENCE, formats: [rfc9421(), xHeaders()] }
    const gate = requireHmac({ ...options, audit: recordedAudit().audit })
    gates.push(await serve(express().use(gate, (_request, response) => void response.end('ok'))))
  }
}, 60_000)

afterAll(async () => {
  await Promise.all(gates.map((gate) => gate.close()))
  await Promise.all(pools.map((pool) => pool.end()))
  await server.stop()
})

let serial = 0
/** By turns to both processes, pinned in rfc9421 and unpinned in xHeaders. */
async function sendSigned(version: number, secret: string): Promise<number> {
  serial += 1
  const target = `/jobs/${serial}`
  const format = serial % 4 < 2 ? rfc9421() : xHeaders()
  const pin = format.name === 'rfc9421' ? { version } : {}
  const headers = signed({ target, format, secret, ...pin, now: Date.now() })
  return (await send(gates[serial % 2]?.port as number, 'POST', target, headers)).status
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('[hmac-under-load] 2000 requests, two rotations and a new key-encryption key: none is refused, no revoked one is granted', async () => {
  const admin = storeWith(K1)
  const used = new Map([[1, SECRET]])
  let current = 1
  let sent = 0
  let isRotated = false
  const refused: [number, number][] = []

  async function signer(): Promise<void> {
    while (sent < 2000 || !isRotated) {
      sent += 1
      const version = current
      const status = await sendSigned(version, used.get(version) as string)
      if (status !== 200) refused.push([version, status])
      await wait(8)
    }
  }

  async function rotations(): Promise<number[]> {
    const moments = []
    for (let round = 0; round < 2; round += 1) {
      while (sent < 200 + round * 600) await wait(5)
      const { version, secret = '' } = await admin.rotate('scheduler', { pending: true })
      used.set(version, secret)
      await wait(BOUND_MS)
      current = version
      await admin.rotate('scheduler')
      moments.push(sent)
    }
    moments.push(sent)
    expect(await storeWith(`${K2},${K1}`).reencrypt()).toBe(3)
    isRotated = true
    return moments
  }

  const [moments] = await Promise.all([rotations(), ...Array.from({ length: 6 }, signer)])
  expect(refused).toEqual([])
  expect(sent).toBeGreaterThanOrEqual(2000)
  // All of it happened while requests were under way.
  expect(Math.max(...moments)).toBeLessThan(sent)
  expect([...used.keys()]).toEqual([1, 2, 3])

  const onlyNew = storeWith(K2)
  expect((await onlyNew.list('scheduler')).map(({ version, key: opened }) => [version, opened !== undefined])).toEqual([
    [3, true],
    [2, true],
    [1, true],
  ])

  await onlyNew.revoke('scheduler', 1)
  await onlyNew.revoke('scheduler', 2)
  const revoked = performance.now()
  const letIn: number[] = []
  while (performance.now() - revoked < 2 * BOUND_MS) {
    for (const version of [1, 2]) {
      const startedMs = performance.now() - revoked
      if ((await sendSigned(version, used.get(version) as string)) === 200) letIn.push(startedMs)
    }
  }
  expect(letIn.filter((ms) => ms > BOUND_MS)).toEqual([])
  expect(await sendSigned(3, used.get(3) as string)).toBe(200)
}, 120_000)
