import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterEach, describe, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'
import { KEK, post, usePostgres } from './postgres-harness.js'

const { countedClient, storeOf } = usePostgres()
let app: Harness | undefined
afterEach(async () => {
  await app?.close()
  app = undefined
})

describe('postgresSecrets behind a gate', () => {
  test('is asked once in 30 s, and at most twice by a flood of unknown versions', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'], audience: AUDIENCE })
    client.queries = 0
    for (let round = 0; round < 20; round += 1) expect(await post(app, 3)).toBe(200)
    expect(client.queries).toBe(1)
    client.queries = 0
    for (let version = 10; version < 40; version += 1) expect(await post(app, version)).toBe(401)
    expect(client.queries).toBeLessThanOrEqual(2)
  })

  test('that is down: what was read is used for 5 minutes, then the answer is 503', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(200)
    client.isDown = true
    app.clock.advance(290_000)
    expect(await post(app)).toBe(200)
    app.clock.advance(10_000)
    expect(await post(app)).toBe(503)
    expect(app.last()).toBe('secret_store')
    client.isDown = false
    app.clock.advance(1000)
    expect(await post(app)).toBe(200)
  })

  test('applies a revocation immediately where it is made', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(200)
    await secrets.revoke('scheduler', 3)
    expect(await post(app)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })

  test('is asked nothing by wrong MACs, once the secrets are read', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    client.queries = 0
    for (let round = 0; round < 20; round += 1) expect(await post(app, 3, 'x'.repeat(40))).toBe(401)
    expect(client.queries).toBe(0)
  })

  test('is asked once by many concurrent requests, and once by those of a caller that has none', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler', 'worker'] })
    const harness = app
    harness.clock.jump(Date.now() + 1000 - harness.clock.now())
    client.queries = 0
    const sendAs = async (caller: string, index: number) => {
      const headers = signed({ now: harness.clock.now(), caller, target: `/jobs/${index}` })
      return (await send(harness.port, 'POST', `/jobs/${index}`, headers)).status
    }
    expect(new Set(await Promise.all(Array.from({ length: 30 }, (_, index) => sendAs('scheduler', index))))).toEqual(
      new Set([200]),
    )
    expect(client.queries).toBe(1)
    client.queries = 0
    expect(new Set(await Promise.all(Array.from({ length: 30 }, (_, index) => sendAs('worker', index))))).toEqual(
      new Set([401]),
    )
    expect(app.last()).toBe('no_active_secret')
    // Of its own, and of the shared secret.
    expect(client.queries).toBe(2)
  })

  test('learns of a rotation that was not announced with the first request of the new version', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    await storeOf().rotate('scheduler', { secret: `${SECRET}-4` })
    expect(await post(app, 4, `${SECRET}-4`)).toBe(200)
    expect(await post(app, 3)).toBe(200)
  })

  test('[hmac-revoked] passes a revocation made elsewhere on within its cache time', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    await storeOf().revoke('scheduler', 3)
    app.clock.advance(28_000)
    expect(await post(app, 3)).toBe(200)
    app.clock.advance(1000)
    expect(await post(app, 3)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })

  test('[hmac-revoked] counts its cache time from the start of a read, however slow: a revocation may have been behind it', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    const client = countedClient()
    let advanceMs = 20_000
    const slow = {
      async query(text: string, values?: unknown[]) {
        const answer = await client.query(text, values)
        app?.clock.advance(advanceMs)
        advanceMs = 0
        return answer
      },
    }
    app = await hmacApp({ secrets: postgresSecrets(slow, { keks: KEK }), callers: ['scheduler'] })
    app.clock.jump(Date.now() - app.clock.now())
    expect(await post(app, 3)).toBe(200)
    await storeOf().revoke('scheduler', 3)
    // With the second of the helper: 30 s after the read began.
    app.clock.advance(9000)
    expect(await post(app, 3)).toBe(401)
    expect(client.queries).toBe(2)
  })

  test('that is down: what was read is never used past its expiry', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET, expiresAt: Date.now() + 60_000 })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    client.isDown = true
    app.clock.advance(50_000)
    expect(await post(app, 3)).toBe(200)
    app.clock.advance(10_000)
    expect(await post(app, 3)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })
})
