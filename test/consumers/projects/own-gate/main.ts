import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuditEvent, createAudit, type Denial, principalOf } from '@countersign/core'
import { defineGate, denied, fieldLines, granted, secretsEqual, sha256 } from '@countersign/core/gate-kit'
import { redisReplay } from '@countersign/redis'
import express, { type NextFunction, type Request, type Response } from 'express'
import { type Cluster, Redis } from 'ioredis'

interface KeyPrincipal {
  readonly kind: 'key'
  readonly id: string
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    key: KeyPrincipal
  }
}

const KEY = sha256('the key of this app')
const refusals: Denial[] = []

const gate = defineGate<KeyPrincipal, 'missing' | 'unknown', never>({
  scheme: 'key',
  reads: ['x-key'],
  presents: (request) => fieldLines(request, 'x-key').length > 0,
  authenticate: (request) => {
    const [presented] = fieldLines(request, 'x-key')
    if (presented === undefined) return denied('missing')
    return secretsEqual(sha256(presented), KEY) ? granted({ kind: 'key', id: 'the-one' }) : denied('unknown')
  },
  reasons: {
    missing: { status: 401, owasp: 'authn_login_fail' },
    unknown: { status: 401, owasp: 'authn_login_fail' },
  },
  challenge: () => [{ scheme: 'Key', parameters: { realm: 'app' } }],
  options: {
    audit: createAudit({ sinks: [(event: AuditEvent) => void events.push(event)] }),
    onDenied: (denial, _request, _response, _next) => {
      refusals.push(denial)
      denial.respond()
    },
  },
})
const events: AuditEvent[] = []

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
  const app = express().get('/', gate, (request: Request, response: Response, _next: NextFunction) => {
    // The only kind there is, so req.principal needs no narrowing.
    const id: string | undefined = request.principal?.id
    const kind: 'key' = principalOf(request, 'key').kind
    response.json({ id, kind })
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  try {
    const refused = await fetch(url, { headers: { 'X-Key': 'another' } })
    assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Key realm="app"'])
    const response = await fetch(url, { headers: { 'X-Key': 'the key of this app' } })
    assert.deepEqual([response.status, await response.json()], [200, { id: 'the-one', kind: 'key' }])
    assert.deepEqual(
      events.map(({ type, reason }) => [type, reason]),
      [
        ['access.denied', 'unknown'],
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
