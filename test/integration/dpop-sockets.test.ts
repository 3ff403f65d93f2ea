import { once } from 'node:events'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { type DpopKey, dpopKey, dpopProof, fakeClock, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { startWebSocketApp, type WebSocketApp } from '../support/websocket-app.js'

let issuer: TestIssuer
let key: DpopKey
beforeAll(async () => {
  ;[issuer, key] = await Promise.all([testIssuer({ algorithm: 'ES256' }), dpopKey()])
})
afterAll(() => issuer.stop())

let world: WebSocketApp
beforeEach(async () => {
  world = await startWebSocketApp()
})
afterEach(() => world.close())

async function present(token: string, nonce?: string): Promise<Record<string, string>> {
  const proof = await dpopProof({ key, token, nonce, url: new URL('/live', issuer.resource).href })
  return { Authorization: `DPoP ${token}`, DPoP: proof }
}

describe('[dpop-upgrades] the socket of a bound token', () => {
  test('is opened with one proof, stays open when the proof is too old, and ends with the token', async () => {
    const clock = fakeClock(Date.now())
    let checks = 0
    const isRevoked = () => {
      checks += 1
      return false
    }
    const options = { issuer: issuer.url, resource: issuer.resource, audit: world.audit, clock, recheckSeconds: 0.02 }
    world.serve(requireOAuthBearer({ ...options, isRevoked, dpop: 'required' }))
    const exp = Math.floor(Date.now() / 1000) + 3600
    const token = await issuer.token({ boundTo: key, claims: { exp } })
    const headers = await present(token)
    const client = await world.connect(headers)
    const closed = once(client, 'close')
    expect(await world.talk(headers)).toMatchObject({ status: 401 })
    expect(await world.talk({ Authorization: `Bearer ${token}` })).toMatchObject({ status: 401 })
    clock.advance(1_800_000)
    const before = checks
    while (checks < before + 3) await new Promise((resolve) => setTimeout(resolve, 5))
    const answered = once(client, 'message')
    client.send('still here')
    expect(String((await answered)[0])).toBe('oauth-bearer: still here')
    clock.advance(3_600_000)
    await closed
  })

  test('is asked for a nonce, too', async () => {
    const dpop = { nonce: { secret: 'a secret of 32 bytes or more, for the nonces of the tests' } }
    world.serve(requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit: world.audit, dpop }))
    const token = await issuer.token({ boundTo: key })
    const refused = await world.talk(await present(token))
    const nonce = typeof refused === 'string' ? '' : String(refused.headers['dpop-nonce'])
    expect(refused).toMatchObject({ status: 401 })
    expect(await world.talk(await present(token, nonce))).toBe('oauth-bearer: hello')
  })
})
