import { afterEach, describe, expect, test } from '@jest/globals'
import { requireOAuthBearer } from '../src/index.js'
import { type DpopApp, dpopApp } from './dpop-app.js'
import { RESOURCE } from './harness.js'

const secret = 'a secret of 32 bytes or more, for the nonces of the tests'
let dpop: DpopApp
afterEach(() => dpop.app.stop())

/** A nonce of the server, as a client gets it. */
async function nonceOf(app: DpopApp): Promise<string> {
  const { status, headers, challenge } = await app.call()
  expect([status, challenge]).toEqual([401, expect.stringContaining('error="use_dpop_nonce"')])
  return String(headers['dpop-nonce'])
}

describe('nonces of the server (RFC 9449 §4.3 10, §8, §9)', () => {
  test('[dpop-nonce] a proof without one is answered with one, and the next proof has it', async () => {
    dpop = await dpopApp({ nonce: { secret } })
    const token = await dpop.boundToken()
    const { status, headers, challenge, json } = await dpop.call({ token })
    expect({ status, json }).toMatchObject({ status: 401, json: { error: 'use_dpop_nonce' } })
    expect(challenge).toContain(
      'DPoP realm="mcp.example.com", error="use_dpop_nonce", error_description="A nonce of this resource is needed in the DPoP proof"',
    )
    expect(headers['access-control-expose-headers']).toContain('DPoP-Nonce')
    expect(headers['cache-control']).toBe('no-store')
    expect(dpop.app.events.at(-1)).toMatchObject({ reason: 'bad_proof', attributes: { part: 'nonce' } })
    const nonce = String(headers['dpop-nonce'])
    const granted = await dpop.call({ token, proof: { nonce } })
    expect([granted.status, granted.headers['dpop-nonce']]).toEqual([200, undefined])
    // One nonce is for any number of proofs, each of which is good once.
    const proofs = [await dpop.proof(token, { nonce })]
    expect(await dpop.outcome({ token, proofs })).toBe('200 granted')
    expect(await dpop.outcome({ token, proofs })).toBe('401 replayed')
  })

  test('[dpop-nonce] one that is not ours, or too old, is answered with a new one', async () => {
    dpop = await dpopApp({ nonce: { secret } })
    const nonce = await nonceOf(dpop)
    for (const wrong of ['of another server', `${nonce}A`, '', 7]) {
      expect(await dpop.outcome({ proof: { claims: { nonce: wrong } } })).toBe('401 bad_proof nonce')
    }
    dpop.app.clock.advance(300_000)
    const { status, headers } = await dpop.call({ proof: { nonce } })
    expect(status).toBe(401)
    expect(headers['dpop-nonce']).not.toBe(nonce)
    expect((await dpop.call({ proof: { nonce: String(headers['dpop-nonce']) } })).status).toBe(200)
  })

  test('[dpop-nonce] it tells the age of a proof in place of the client’s clock', async () => {
    dpop = await dpopApp({ nonce: { secret } })
    const nonce = await nonceOf(dpop)
    for (const defect of ['expired', 'dated_ahead'] as const) {
      expect(await dpop.outcome({ proof: { nonce, defect } })).toBe('200 granted')
    }
    expect(await dpop.outcome({ proof: { nonce, claims: { iat: undefined } } })).toBe('401 bad_proof iat')
  })

  test('[dpop-nonce-renewal] a 200 has the next one when half of its life is over, and is not cached', async () => {
    dpop = await dpopApp({ nonce: { secret, lifetimeSeconds: 60 } })
    const nonce = await nonceOf(dpop)
    dpop.app.clock.advance(29_000)
    expect((await dpop.call({ proof: { nonce } })).headers['dpop-nonce']).toBeUndefined()
    dpop.app.clock.advance(2000)
    const { status, headers } = await dpop.call({ proof: { nonce } })
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    // For scripts in browsers.
    expect(headers['access-control-expose-headers']).toContain('DPoP-Nonce')
    const next = String(headers['dpop-nonce'])
    dpop.app.clock.advance(40_000)
    expect(await dpop.outcome({ proof: { nonce } })).toBe('401 bad_proof nonce')
    expect(await dpop.outcome({ proof: { nonce: next } })).toBe('200 granted')
  })

  test('[dpop-nonce-syntax] its characters are those that RFC 9449 §8.1 allows', async () => {
    dpop = await dpopApp({ nonce: { secret } })
    expect(await nonceOf(dpop)).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
  })

  test('[dpop-nonce-shared] each process with the secret takes it, with clocks 60 s apart; one with another secret does not', async () => {
    dpop = await dpopApp({ nonce: { secret } })
    const nonce = await nonceOf(dpop)
    const first = dpop
    const statuses: number[] = []
    for (const [offset, other] of [
      [60_000, secret],
      [-60_000, secret],
      [0, `${secret}!`],
    ] as const) {
      const { clock } = first.app
      const shifted = { now: () => clock.now() + offset, monotonic: () => clock.monotonic() }
      dpop = await dpopApp({ nonce: { secret: other } }, { clock: shifted })
      statuses.push((await dpop.call({ proof: { nonce } })).status)
      await dpop.app.stop()
    }
    dpop = first
    expect(statuses).toEqual([200, 200, 401])
  })
})

test('a wrong option for nonces is told of at the start, without the secret', async () => {
  dpop = await dpopApp()
  const make = (nonce: object) => () =>
    requireOAuthBearer({ resource: RESOURCE, issuer: 'https://auth.example.com', dpop: { nonce } as never })
  expect(make({})).toThrow(/"dpop.nonce.secret" is required/)
  expect(make({ secret: 'short-secret' })).toThrow(
    /"dpop.nonce.secret" must be a secret of 32 bytes or more, got another/,
  )
  expect(make({ secret, lifetime: 5 })).toThrow(/Did you mean "lifetimeSeconds"\?/)
})
