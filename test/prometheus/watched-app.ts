import { prometheusSink } from '@countersign/audit/prometheus'
import { createAudit } from '@countersign/core'
import { requireHmac, rfc9421, type SignatureFormat, secretsFromEnv, sign, xHeaders } from '@countersign/hmac'
import express from 'express'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { createGatesApp, type GatesApp, signInternal } from '../support/gates-app.js'
import { type RunningServer, serve } from '../support/http-server.js'
import type { RedisServer } from '../support/redis-server.js'

const AUDIENCE = 'app.example.com'
const OLD_KEY = 'the-old-key-of-reports'
const SECRET = 'a-secret-that-all-callers-sign-with-today'

/** An app with gates on a Redis, whose metrics are at `/metrics`; one sink fails, and a required one. */
export class WatchedApp {
  readonly #running: RunningServer
  readonly #gates: GatesApp
  readonly #redis: Redis
  #sequence = 0

  private constructor(running: RunningServer, gates: GatesApp, redis: Redis) {
    this.#running = running
    this.#gates = gates
    this.#redis = redis
  }

  static async start(server: RedisServer): Promise<WatchedApp> {
    const redis = new Redis(server.url)
    redis.on('error', () => undefined)
    const registry = new Registry()
    const metrics = prometheusSink({ registry, callers: ['scheduler', 'reports'] })
    const audit = createAudit({ sinks: [metrics] })
    audit.subscribe({ name: 'broken', write: () => Promise.reject(new Error('the disk is full')) })
    const strict = createAudit({ sinks: [metrics] })
    strict.subscribe({ name: 'strict', write: () => Promise.reject(new Error('the disk is full')) }, { required: true })

    const app = express()
    const running = await serve(app)
    // Time enough on a busy machine: only the Redis that is stopped is an outage.
    const gates = createGatesApp({ redis, baseUrl: running.url, audit, commandTimeoutMs: 5000 })
    const secrets = secretsFromEnv(
      { COUNTERSIGN_HMAC_SECRET_SHARED: SECRET },
      { callers: ['scheduler', 'reports', '*shared*'] },
    )
    const common = { secrets, callers: ['scheduler', 'reports'], audience: AUDIENCE, formats: [rfc9421(), xHeaders()] }
    const legacy = { headers: ['x-service-key'], keys: { reports: [OLD_KEY] } }
    app.get('/metrics', async (_request, response) => {
      response.type('text/plain').send(await registry.metrics())
    })
    app.use('/report', requireHmac({ ...common, audit, legacy, reportOnly: true }), (_request, response) => {
      response.json({})
    })
    app.use('/shared', requireHmac({ ...common, audit }), (_request, response) => void response.json({}))
    app.use('/strict', requireHmac({ ...common, audit: strict }), (_request, response) => void response.json({}))
    app.use(gates.app)
    return new WatchedApp(running, gates, redis)
  }

  get target(): string {
    return `127.0.0.1:${this.#running.port}`
  }

  /** Sends a signed request so many times; returns the last status. */
  async #sendSigned(times: number): Promise<number> {
    this.#sequence += 1
    const body = `{"sequence":${this.#sequence}}`
    const headers = signInternal(this.#running.url, body)
    let status = 0
    for (let count = 0; count < times; count += 1) {
      status = await this.#send('/internal', { method: 'POST', headers, body })
    }
    return status
  }

  /** What every panel of the dashboards asks for; returns the statuses by what was sent. */
  async produceEverything(): Promise<Readonly<Record<string, number>>> {
    const { credentials, settings } = this.#gates
    const issued = await credentials.issue({
      threadId: `t${this.#sequence}`,
      providerInstanceId: 'p',
      capabilities: [],
    })
    await credentials.revoke(issued.credentialId)
    await settings.deliver(await settings.issueLink({ platform: 'test', userId: 'u1' }), () => undefined)
    const revoked = await this.#send('/agent', { headers: { authorization: issued.authorizationHeader } })
    const valid = this.#sign('/report', rfc9421())
    const broken = { ...this.#sign('/report', xHeaders()), 'x-countersign-signature': 'a'.repeat(64) }
    const old = { 'x-service-key': OLD_KEY }
    return {
      granted: await this.#sendSigned(1),
      replayed: await this.#sendSigned(2),
      missing: await this.#send('/agent', {}),
      revoked,
      valid: await this.#send('/report', { headers: { ...valid, ...old } }),
      broken: await this.#send('/report', { headers: { ...broken, ...old } }),
      shared: await this.#send('/shared', { headers: this.#sign('/shared', rfc9421()) }),
      strict: await this.#send('/strict', { headers: this.#sign('/strict', rfc9421()) }),
    }
  }

  #sign(path: string, format: SignatureFormat): Record<string, string> {
    const request = { method: 'GET', url: `${this.#running.url}${path}`, headers: {}, body: Buffer.alloc(0) }
    return sign(request, { caller: 'reports', version: 1, secret: SECRET, audience: AUDIENCE, format })
  }

  async #send(path: string, init: RequestInit): Promise<number> {
    const response = await fetch(`${this.#running.url}${path}`, init)
    await response.arrayBuffer()
    return response.status
  }

  /** The status of a request that needs the store. */
  useStore(): Promise<number> {
    return this.#sendSigned(1)
  }

  async stop(): Promise<void> {
    this.#redis.disconnect()
    await this.#running.close()
  }
}
