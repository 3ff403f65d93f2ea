import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterEach, describe, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { parseKekRing, seal } from '../src/store/postgres/sealing.js'
import { type Harness, hmacApp, SECRET } from './harness.js'
import { KEK, OTHER, post, usePostgres } from './postgres-harness.js'

const db = usePostgres()
const { countedClient, storeOf } = db
let app: Harness | undefined
afterEach(async () => {
  await app?.close()
  app = undefined
})

describe('a row', () => {
  const rewrite = (assignment: string, values: unknown[] = []) =>
    db.query(`UPDATE internal_service_hmac_secrets SET ${assignment}`, values)

  async function reasonWith(keks = KEK, version?: number): Promise<string | undefined> {
    await app?.close()
    app = await hmacApp({ secrets: storeOf(countedClient(), keks), callers: ['scheduler'] })
    const status = await post(app, version)
    if (status === 503) expect(app.events.at(-1)).toMatchObject({ severity: 'critical', outcome: 'error' })
    return app.last()
  }

  test.each([
    ['from another caller', `caller = 'scheduler'`, { caller: 'other', version: 3 }],
    ['from another version', 'key_version = 3', { caller: 'scheduler', version: 2 }],
    ['from the shared secret', `caller = 'scheduler'`, { caller: '*shared*', version: 3 }],
  ])('[hmac-row-moved] that was moved here %s is unavailable', async (_what, assignment, place) => {
    await storeOf().insert({ ...place, secret: SECRET })
    await rewrite(assignment)
    expect(await reasonWith()).toBe('secret_unreadable')
    expect(await reasonWith(KEK, 3)).toBe('secret_unreadable')
  })

  test('[hmac-row-moved] of another namespace does not open', async () => {
    const client = countedClient()
    await postgresSecrets(client, { keks: KEK, namespace: 'other', audit: recordedAudit().audit }).insert({
      ...{ caller: 'scheduler', version: 3, secret: SECRET },
    })
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('[hmac-row-moved] whose kek id was changed to another that the ring has does not open', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    await rewrite(`kek_id = 'k2'`)
    // Even to the same key under another name.
    expect(await reasonWith(`${KEK},k2:${KEK.slice(3)}`)).toBe('secret_unreadable')
  })

  test('[hmac-unknown-kek] of an unknown key-encryption key is unavailable, not a missing secret', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    expect(await reasonWith(OTHER)).toBe('secret_unreadable')
    expect(await reasonWith(OTHER, 3)).toBe('secret_unreadable')
    expect(await reasonWith(`${OTHER},${KEK}`)).toBe('granted')
  })

  test.each([
    ['a tag of 4 bytes', (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag.subarray(0, 4), text]],
    ['a tag of 15 bytes', (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag.subarray(0, 15), text]],
    ['no tag', (iv: Buffer, _tag: Buffer, text: Buffer) => [iv, text]],
    ['nothing', () => []],
    [
      'another byte',
      (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag, Buffer.concat([text.subarray(1), Buffer.from([1])])],
    ],
    ['no ciphertext', (iv: Buffer, tag: Buffer) => [iv, tag]],
  ])('[hmac-short-tag] with %s does not open', async (_what, change) => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    const { rows } = await db.query('SELECT ciphertext FROM internal_service_hmac_secrets')
    const sealed = Buffer.from(rows[0]?.ciphertext ?? '', 'base64')
    const parts = change(sealed.subarray(0, 12), sealed.subarray(12, 28), sealed.subarray(28))
    await rewrite('ciphertext = $1', [Buffer.concat(parts).toString('base64')])
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('that holds a short secret is not used', async () => {
    const ring = parseKekRing(KEK)
    const { sealed } = seal(ring, { namespace: 'cs', caller: 'scheduler', version: 3 }, Buffer.from('short'))
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    await rewrite('ciphertext = $1', [sealed])
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('that does not open does no harm beside one that verifies', async () => {
    await storeOf().insert({ caller: 'other', version: 4, secret: SECRET })
    await rewrite(`caller = 'scheduler'`)
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    expect(await reasonWith()).toBe('granted')
    expect(await reasonWith(KEK, 3)).toBe('granted')
    expect(await reasonWith(KEK, 4)).toBe('secret_unreadable')
    app?.clock.advance(1000)
    expect(app && (await post(app, undefined, 'x'.repeat(40)))).toBe(503)
  })

  test('holds nothing that can be read', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    const { rows } = await db.query('SELECT * FROM internal_service_hmac_secrets')
    const text = JSON.stringify(rows)
    expect(text).not.toContain(SECRET)
    expect(text).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 20))
  })
})
