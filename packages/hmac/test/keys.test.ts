import { memorySecrets, rfc9421, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, hmacApp, send, signed } from './harness.js'

const secretOf = (version: number) => `the-secret-of-version-${version}-that-is-long`

let app: Harness
afterEach(() => app.close())

async function reasonOf(signing: { caller?: string; secret: string; version?: number }): Promise<string | undefined> {
  app.clock.advance(1000)
  await send(app.port, 'POST', '/jobs?a=1', signed({ ...signing, now: app.clock.now() }))
  return app.last()
}

describe('[hmac-nine-keys] of nine active versions', () => {
  test('the newest eight are tried without a pin, the ninth with one', async () => {
    app = await hmacApp()
    for (let version = 4; version <= 12; version += 1) {
      app.secrets.insert({ caller: 'scheduler', version, secret: secretOf(version) })
    }
    app.secrets.revoke('scheduler', 3)
    for (let version = 5; version <= 12; version += 1) {
      expect(await reasonOf({ secret: secretOf(version) })).toBe('granted')
    }
    expect(await reasonOf({ secret: secretOf(4) })).toBe('bad_signature')
    expect(await reasonOf({ secret: secretOf(4), version: 4 })).toBe('granted')
    app.secrets.revoke('scheduler', 12)
    expect(await reasonOf({ secret: secretOf(4) })).toBe('granted')
  })

  test('a pinned one tries its own row alone', async () => {
    app = await hmacApp()
    app.secrets.insert({ caller: 'scheduler', version: 4, secret: secretOf(4) })
    expect(await reasonOf({ secret: secretOf(4), version: 3 })).toBe('bad_signature')
  })
})

describe('[hmac-rotated] a rotated secret', () => {
  test('is valid to the last moment of its grace', async () => {
    app = await hmacApp({ formats: [xHeaders()] })
    const secret = secretOf(4)
    const { clock } = app
    app.secrets.insert({ caller: 'worker', version: 1, secret: secretOf(1) })
    app.secrets.rotate('worker', { secret, graceSeconds: 60 })
    const old = { caller: 'worker', secret: secretOf(1) }
    clock.advance(58_000)
    // The helper lets a second pass: at 59 s, then at 60 s.
    expect(await reasonOf(old)).toBe('granted')
    expect(await reasonOf(old)).toBe('bad_signature')
    expect(await reasonOf({ ...old, version: 1 })).toBe('no_active_secret')
    expect(await reasonOf({ caller: 'worker', secret })).toBe('granted')
  })

  test('is announced: a pending version verifies before it is in force', async () => {
    app = await hmacApp()
    const { secret = '' } = await app.secrets.rotate('scheduler', { pending: true })
    expect(await reasonOf({ secret })).toBe('granted')
    expect(await reasonOf({ secret, version: 4 })).toBe('granted')
  })

  test('that is not valid yet, or no more, has no active secret', async () => {
    app = await hmacApp()
    const now = app.clock.now()
    app.secrets.insert({ caller: 'early', version: 1, secret: secretOf(1), notBefore: now + 3000 })
    app.secrets.insert({ caller: 'late', version: 1, secret: secretOf(1), expiresAt: now + 2000 })
    expect(await reasonOf({ caller: 'late', secret: secretOf(1) })).toBe('granted')
    expect(await reasonOf({ caller: 'late', secret: secretOf(1) })).toBe('no_active_secret')
    app.clock.advance(-1000)
    expect(await reasonOf({ caller: 'early', secret: secretOf(1) })).toBe('no_active_secret')
    expect(await reasonOf({ caller: 'early', secret: secretOf(1) })).toBe('granted')
  })
})

test('a secret that was valid from its beginning stays so when the clock is put back, and one for later is not yet', async () => {
  app = await hmacApp()
  const { clock, secrets } = app
  secrets.insert({ caller: 'new', version: 1, secret: secretOf(1) })
  secrets.insert({ caller: 'early', version: 1, secret: secretOf(2), notBefore: clock.now() + 1000 })
  secrets.insert({ caller: 'late', version: 1, secret: secretOf(3), expiresAt: clock.now() - 3_500_000 })
  clock.jump(-3_600_000)
  expect(await reasonOf({ caller: 'new', secret: secretOf(1) })).toBe('granted')
  expect(await reasonOf({ caller: 'early', secret: secretOf(2) })).toBe('no_active_secret')
  expect(await reasonOf({ caller: 'late', secret: secretOf(3) })).toBe('granted')
  secrets.revoke('new', 1)
  expect(await reasonOf({ caller: 'new', secret: secretOf(1) })).toBe('no_active_secret')
})

describe('the shared secret', () => {
  const callers = ['scheduler', 'worker', 'reports']
  const shared = 'the-secret-that-all-named-callers-share'

  test('is that of every named caller without one of its own, and of no other name', async () => {
    app = await hmacApp({ callers })
    app.secrets.insert({ caller: '*shared*', version: 1, secret: shared })
    expect(await reasonOf({ caller: 'worker', secret: shared })).toBe('granted')
    expect(await reasonOf({ caller: 'reports', secret: shared, version: 1 })).toBe('granted')
    expect(await reasonOf({ caller: 'scheduler', secret: shared })).toBe('bad_signature')
    expect(await reasonOf({ caller: 'stranger', secret: shared })).toBe('unknown_caller')
    app.secrets.revoke('scheduler', 3)
    expect(await reasonOf({ caller: 'scheduler', secret: shared })).toBe('no_active_secret')
  })

  test('binds its caller: one member cannot be sent as another', async () => {
    app = await hmacApp({ callers })
    app.secrets.insert({ caller: '*shared*', version: 1, secret: shared })
    const headers = signed({ caller: 'worker', secret: shared, now: app.clock.now() })
    await send(app.port, 'POST', '/jobs?a=1', { ...headers, 'x-countersign-caller': 'reports' })
    expect(app.last()).toBe('bad_signature')
  })

  test('needs the list of callers', async () => {
    const secrets = memorySecrets([{ caller: '*shared*', version: 1, secret: shared }])
    await expect(hmacApp({ secrets })).rejects.toThrow('option "callers" is required')
    app = await hmacApp({ secrets, callers: ['worker'] })
  })
})

test('a flood of unknown versions is refused as unknown_key_version', async () => {
  app = await hmacApp({ formats: [rfc9421()] })
  for (let version = 10; version < 20; version += 1) {
    app.clock.advance(1000)
    const headers = signed({ format: rfc9421(), version, now: app.clock.now() })
    expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(401)
    expect(app.last()).toBe('unknown_key_version')
  }
})
