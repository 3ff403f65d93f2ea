import { createCipheriv, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const KEK = `k1:${randomBytes(32).toString('base64')}`
const OTHER = `k2:${randomBytes(32).toString('base64')}`
const migration = readFileSync(new URL('../migrations/0001-internal-service-hmac-secrets.sql', import.meta.url), 'utf8')

let db: PGlite
let app: Harness | undefined
beforeAll(async () => {
  db = new PGlite()
  await db.exec(migration)
}, 60_000)
beforeEach(() => db.exec('DELETE FROM internal_service_hmac_secrets'))
afterEach(async () => {
  await app?.close()
  app = undefined
})
afterAll(() => db.close())

/** Counts what reaches the database, and can be taken down. */
function countedClient() {
  const client = {
    queries: 0,
    isDown: false,
    query(text: string, values?: unknown[]) {
      client.queries += 1
      return client.isDown ? Promise.reject(new Error('down')) : db.query(text, values)
    },
  }
  return client
}

const storeOf = (client = countedClient(), keks = KEK) =>
  postgresSecrets(client, { keks, audit: recordedAudit().audit })

async function post(harness: Harness, version?: number, secret = SECRET) {
  // The rows are valid by the database's clock.
  if (harness.clock.now() < Date.now()) harness.clock.jump(Date.now() + 1000 - harness.clock.now())
  harness.clock.advance(1000)
  const headers = signed({ now: harness.clock.now(), secret, ...(version === undefined ? {} : { version }) })
  return (await send(harness.port, 'POST', '/jobs?a=1', headers)).status
}

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

  test('that is down goes on with what was read for 5 minutes, then answers 503', async () => {
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

  test('counts a revocation at once where it is made', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(200)
    await secrets.revoke('scheduler', 3)
    expect(await post(app)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })

  test('answers 503 for a row that was moved or whose key is unknown, unless another verifies', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'other', version: 3, secret: SECRET })
    await db.query(`UPDATE internal_service_hmac_secrets SET caller = 'scheduler'`)
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(503)
    expect(app.last()).toBe('secret_unreadable')
    await secrets.insert({ caller: 'scheduler', version: 4, secret: SECRET })
    expect(await post(app)).toBe(200)
    expect((await storeOf(countedClient(), OTHER).versions('scheduler')).map(({ key }) => key)).toEqual([
      undefined,
      undefined,
    ])
  })
})

describe('a secret', () => {
  test('is rotated with a grace, and two rotations at once make one version', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 1, secret: SECRET })
    const results = await Promise.allSettled([secrets.rotate('scheduler'), secrets.rotate('scheduler')])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const versions = await secrets.versions('scheduler')
    expect(versions.map(({ version, expiresAt }) => [version, expiresAt !== undefined])).toEqual([
      [2, false],
      [1, true],
    ])
  })

  test('that is pending is put in force by the next rotation', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 1, secret: SECRET })
    const pending = await secrets.rotate('scheduler', { pending: true })
    expect((await secrets.active('scheduler')).map(({ expiresAt }) => expiresAt)).toEqual([undefined, undefined])
    expect(await secrets.rotate('scheduler')).toEqual({ caller: 'scheduler', version: 2, secret: undefined })
    expect(pending.secret).toHaveLength(64)
    expect((await secrets.get('scheduler', 1))?.expiresAt).toBeDefined()
  })

  test('moves to another key-encryption key by rewrap', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 1, secret: SECRET })
    expect(await storeOf(countedClient(), `${OTHER},${KEK}`).rewrap()).toBe(1)
    const [moved] = await storeOf(countedClient(), OTHER).versions('scheduler')
    expect(moved?.key?.export().toString()).toBe(SECRET)
  })

  test('is taken over from the envelope of the field, but not with a short tag', async () => {
    const kek = randomBytes(32)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', kek, iv)
    cipher.setAAD(Buffer.from('scheduler:7'))
    const text = Buffer.concat([cipher.update(SECRET), cipher.final()])
    const envelope = (tag: Buffer) => [iv, tag, text].map((part) => part.toString('base64')).join(':')
    const secrets = storeOf()
    const row = { caller: 'scheduler', version: 7, kek }
    await expect(
      secrets.importSealed({ ...row, envelope: envelope(cipher.getAuthTag().subarray(0, 4)) }),
    ).rejects.toThrow('does not open')
    await secrets.importSealed({ ...row, envelope: envelope(cipher.getAuthTag()) })
    expect((await secrets.get('scheduler', 7))?.key?.export().toString()).toBe(SECRET)
    await expect(secrets.insert({ caller: 'scheduler', version: 7, secret: SECRET })).rejects.toThrow('exists')
  })
})
