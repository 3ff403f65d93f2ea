import { generateKeyPairSync } from 'node:crypto'
import {
  type IntrospectionOptions,
  type RequireOAuthBearerOptions,
  requireOAuthBearer,
} from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type RealProvider, startProvider } from './provider.js'
import type { Fault } from './provider-process.js'

const JWT_RESOURCE = 'https://mcp.example.com/mcp'
const OPAQUE_RESOURCE = 'https://mcp.example.com/opaque'

let provider: RealProvider
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const open: RunningServer[] = []
beforeAll(async () => {
  provider = await startProvider(own.publicKey.export({ format: 'jwk' }))
}, 30_000)
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
afterAll(() => provider.stop())

interface Guarded {
  readonly clock: FakeClock
  /** `status reason` of a request with this token. */
  ask(token: string): Promise<string>
  askFor(token: string): Promise<{ status: number; headers: Headers; via: string | undefined }>
}

/** A gate of its own, whose clock stands at the present until it is moved. */
async function guarded(options: Partial<RequireOAuthBearerOptions> = {}): Promise<Guarded> {
  const clock = fakeClock(Date.now())
  const { audit, events } = recordedAudit()
  const gate = requireOAuthBearer({ resource: JWT_RESOURCE, issuer: provider.issuer, clock, audit, ...options })
  const app = express().use(gate, (request, response) => void response.json({ via: request.principal }))
  const server = await serve(app)
  open.push(server)
  const askFor = async (token: string) => {
    const response = await fetch(server.url, { headers: { authorization: `Bearer ${token}` } })
    const body = (await response.json()) as { via?: { via: string } }
    return { status: response.status, headers: response.headers, via: body.via?.via }
  }
  return {
    clock,
    askFor,
    async ask(token) {
      const { status } = await askFor(token)
      return `${status} ${events.findLast(({ type }) => type.startsWith('access.'))?.reason ?? 'granted'}`
    },
  }
}

const introspection = { clientId: 'resource', clientSecret: 'the-secret-of-the-resource' }
const opaque = () => guarded({ resource: OPAQUE_RESOURCE, issuer: { issuer: provider.issuer, introspection } })

describe('oidc-provider in its own process', () => {
  test('[oauth-real-provider] its JWTs are verified with its keys, its opaque tokens by asking it', async () => {
    const jwts = await guarded()
    const mixed = await opaque()
    const jwt = await provider.machineToken(JWT_RESOURCE)
    const token = await provider.machineToken(OPAQUE_RESOURCE)
    expect(token.split('.')).toHaveLength(1)
    expect(await jwts.askFor(jwt)).toMatchObject({ status: 200, via: 'jwt' })
    expect(await mixed.askFor(token)).toMatchObject({ status: 200, via: 'introspection' })
    expect(await mixed.ask(`${token}x`)).toBe('401 inactive')
    expect(await mixed.ask(jwt)).toBe('401 wrong_audience')
    expect(await jwts.ask(token)).toBe('401 malformed_token')
    expect(await jwts.ask(await provider.machineToken('https://other.example.com/mcp'))).toBe('401 wrong_audience')
  })

  test.each([
    ['client_secret_basic', () => introspection],
    ['client_secret_post', () => ({ ...introspection, clientId: 'resource-post', authMethod: 'client_secret_post' })],
    ['private_key_jwt', () => ({ clientId: 'resource-jwt', privateKey: own.privateKey, signingAlgorithm: 'ES256' })],
  ])('[oauth-real-provider] this resource can ask with %s', async (_method, options) => {
    const issuer = { issuer: provider.issuer, introspection: options() as IntrospectionOptions }
    const gate = await guarded({ resource: OPAQUE_RESOURCE, issuer })
    expect(await gate.ask(await provider.machineToken(OPAQUE_RESOURCE))).toBe('200 granted')
    expect(await gate.ask('no-token-of-its')).toBe('401 inactive')
  })

  test('[oauth-real-provider] its refusal of our own credentials does not refuse the token', async () => {
    const token = await provider.machineToken(OPAQUE_RESOURCE)
    const wrong = { ...introspection, clientSecret: 'not-the-secret' }
    const gate = await guarded({
      resource: OPAQUE_RESOURCE,
      issuer: { issuer: provider.issuer, introspection: wrong },
    })
    expect(await gate.ask(token)).toBe('503 introspection')
  })

  test('[oauth-real-provider] a rotation in the middle: new tokens are accepted immediately, old ones while their key is published', async () => {
    const gate = await guarded()
    const old = await provider.machineToken(JWT_RESOURCE)
    expect(await gate.ask(old)).toBe('200 granted')
    await provider.requests()
    await provider.rotate(true)
    const fresh = await provider.machineToken(JWT_RESOURCE)
    expect([await gate.ask(fresh), await gate.ask(old)]).toEqual(['200 granted', '200 granted'])
    expect((await provider.requests()).filter((path) => path === '/jwks')).toHaveLength(1)
    await provider.rotate(false)
    const last = await provider.machineToken(JWT_RESOURCE)
    expect([await gate.ask(last), await gate.ask(old)]).toEqual(['200 granted', '401 unknown_key'])
  })

  test.each<Fault>(['reset', 'hung', 'slow body', '500', 'HTML', 'empty', 'huge'])(
    '[oauth-real-outages] JWKS %s: a cold gate answers 503, a warm one lets known and new tokens in',
    async (fault) => {
      const [warm, cold] = [await guarded(), await guarded()]
      const token = await provider.machineToken(JWT_RESOURCE)
      const unseen = await provider.machineToken(JWT_RESOURCE)
      expect(await warm.ask(token)).toBe('200 granted')
      await provider.fault('/jwks', fault)
      try {
        // Ahead of its time, so nobody waits for the refresh that fails.
        warm.clock.advance(9 * 60_000)
        expect([await warm.ask(token), await warm.ask(unseen)]).toEqual(['200 granted', '200 granted'])
        const { status, headers } = await cold.askFor(token)
        expect(status).toBe(503)
        expect(headers.get('retry-after')).toMatch(/^\d+$/)
        expect(headers.get('www-authenticate')).toBeNull()
      } finally {
        await provider.fault('/jwks', null)
      }
      cold.clock.advance(60_000)
      expect(await cold.ask(token)).toBe('200 granted')
    },
    15_000,
  )

  test.each<Fault>(['reset', 'hung', 'slow body', '500', 'HTML', 'empty', 'huge'])(
    '[oauth-real-outages] introspection %s: 503, and the token is not refused',
    async (fault) => {
      const gate = await opaque()
      const known = await provider.machineToken(OPAQUE_RESOURCE)
      const unseen = await provider.machineToken(OPAQUE_RESOURCE)
      expect(await gate.ask(known)).toBe('200 granted')
      await provider.fault('/token/introspection', fault)
      try {
        // What was said within 30 s stands; what was not, cannot be known.
        expect(await gate.ask(known)).toBe('200 granted')
        const { status, headers } = await gate.askFor(unseen)
        expect(status).toBe(503)
        expect(headers.get('retry-after')).toMatch(/^\d+$/)
        expect(headers.get('www-authenticate')).toBeNull()
      } finally {
        await provider.fault('/token/introspection', null)
      }
      expect(await gate.ask(unseen)).toBe('200 granted')
    },
    15_000,
  )

  test('[oauth-real-outages] connections refused: cold 503, warm 200, opaque 503; and 200 when it is back', async () => {
    const [warm, cold, asking] = [await guarded(), await guarded(), await opaque()]
    const token = await provider.machineToken(JWT_RESOURCE)
    const opaqueToken = await provider.machineToken(OPAQUE_RESOURCE)
    const later = await provider.machineToken(OPAQUE_RESOURCE)
    expect(await warm.ask(token)).toBe('200 granted')
    expect(await asking.ask(opaqueToken)).toBe('200 granted')
    await provider.listen(false)
    try {
      warm.clock.advance(11 * 60_000)
      expect(await warm.ask(token)).toBe('200 granted')
      expect(await cold.ask(token)).toBe('503 keys')
      expect(await asking.ask(later)).toBe('503 introspection')
    } finally {
      await provider.listen(true)
    }
    cold.clock.advance(1000)
    expect(await cold.ask(token)).toBe('200 granted')
    expect(await asking.ask(later)).toBe('200 granted')
  })

  test('[oauth-five-minute-outage] 5 minutes without its keys: no failure for a known client, 503 for a cold process', async () => {
    const warm = await guarded()
    const known = await provider.machineToken(JWT_RESOURCE)
    expect(await warm.ask(known)).toBe('200 granted')
    // Just before its keys are to be renewed.
    warm.clock.advance(7 * 60_000 + 59_000)
    expect(await warm.ask(known)).toBe('200 granted')
    await provider.listen(false)
    const statuses = new Set<string>()
    let requests = 0
    try {
      for (let second = 0; second < 300; second += 2) {
        warm.clock.advance(2000)
        statuses.add(await warm.ask(known))
        requests += 1
      }
      const cold = await guarded()
      expect(await cold.ask(known)).toBe('503 keys')
    } finally {
      await provider.listen(true)
    }
    expect([...statuses]).toEqual(['200 granted'])
    process.stdout.write(`5-minute outage: ${requests} requests of a known client, all 200; a cold process: 503\n`)
    warm.clock.advance(60_000)
    expect(await warm.ask(await provider.machineToken(JWT_RESOURCE))).toBe('200 granted')
  }, 30_000)
})
