import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuditEvent, createAudit, type Denial, principalOf } from '@countersign/core'
import { redisReplay } from '@countersign/redis'
import express, { type NextFunction, type Request, type Response } from 'express'
import { type Cluster, Redis } from 'ioredis'
import { memoryDevices, requireDevice } from './require-device.js'

const refusals: Denial[] = []
const events: AuditEvent[] = []

const gate = requireDevice({
  devices: memoryDevices({ 'sensor-7': { secret: 'the-secret-of-sensor-7' } }),
  audit: createAudit({ sinks: [(event: AuditEvent) => void events.push(event)] }),
  onDenied: (denial, _request, _response, _next) => {
    refusals.push(denial)
    denial.respond()
  },
})

/** What the app makes of its own Redis, of either kind. */
const replayOf = (redis: Redis | Cluster) => redisReplay(redis, { namespace: 'app' })

/** A client on ioredis's own defaults, whichever of its majors is installed. */
async function claimTwice(url: string): Promise<void> {
  const redis = new Redis(url)
  try {
    await once(redis, 'ready')
    const replay = replayOf(redis)
    const nonce = randomUUID()
    assert.deepEqual([await replay.claim(nonce, 60_000), await replay.claim(nonce, 60_000)], ['fresh', 'seen'])
  } finally {
    redis.disconnect()
  }
}

async function main(): Promise<void> {
  const app = express().get(
    '/:id',
    gate,
    (request: Request<{ id: string }>, response: Response, _next: NextFunction) => {
      // The only kind there is, so req.principal needs no narrowing.
      const id: string | undefined = request.principal?.id
      const kind: 'device' = principalOf(request, 'device').kind
      response.json({ id, kind, asked: request.params.id })
    },
  )
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/7`
  try {
    const refused = await fetch(url, { headers: { 'X-Device-Key': 'another' } })
    assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Device'])
    const response = await fetch(url, { headers: { 'X-Device-Key': 'sensor-7.the-secret-of-sensor-7' } })
    assert.deepEqual([response.status, await response.json()], [200, { id: 'sensor-7', kind: 'device', asked: '7' }])
    assert.deepEqual(
      events.map(({ type, reason }) => [type, reason]),
      [
        ['access.denied', 'malformed'],
        ['access.granted', undefined],
      ],
    )
    assert.equal(refusals.length, 1)
    await claimTwice(process.env.CONSUMER_REDIS_URL ?? '')
    console.log('exercised a gate of its own')
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

main()
