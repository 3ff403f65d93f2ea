import { memorySecrets, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import type { HmacSecretStore } from '@countersign/hmac/store'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { AUDIENCE, send, signed } from './harness.js'
import { KEK, migration } from './postgres-harness.js'

const SHARED = 'the-secret-that-all-callers-share-today'
const NEXT_SHARED = 'the-next-secret-that-all-callers-share'
const OWN = 'the-secret-of-the-scheduler-and-nobody-else'

let db: PGlite
beforeAll(async () => {
  db = new PGlite()
  await db.exec(migration)
}, 60_000)
afterAll(() => db.close())

const stores: readonly [string, () => Promise<HmacSecretStore>][] = [
  ['memory', async () => memorySecrets([], { audit: recordedAudit().audit })],
  [
    'PostgreSQL',
    async () => {
      await db.query('DELETE FROM internal_service_hmac_secrets')
      return postgresSecrets(db, { keks: KEK, audit: recordedAudit().audit })
    },
  ],
]

describe.each(stores)('on the way from a shared secret, in %s', (_name, make) => {
  let secrets: HmacSecretStore
  let gate: RunningServer
  let events: ReturnType<typeof recordedAudit>['events']
  beforeEach(async () => {
    secrets = await make()
    await secrets.insert({ caller: '*shared*', version: 1, secret: SHARED })
    const recorder = recordedAudit()
    events = recorder.events
    const options = { secrets, callers: ['scheduler', 'reports'], audience: AUDIENCE, audit: recorder.audit }
    const handler = requireHmac({ ...options, formats: [rfc9421(), xHeaders()] })
    gate = await serve(express().use(handler, (_request, response) => void response.end()))
  })
  afterEach(() => gate.close())

  let serial = 0
  async function post(secret: string, { caller = 'scheduler', version }: { caller?: string; version?: number } = {}) {
    serial += 1
    const target = `/jobs/${serial}`
    const format = serial % 2 === 0 || version !== undefined ? rfc9421() : xHeaders()
    const pin = format.name === 'rfc9421' ? { version: version ?? 1 } : {}
    const answer = await send(
      gate.port,
      'POST',
      target,
      signed({ target, format, secret, caller, ...pin, now: Date.now() }),
    )
    return answer.status
  }
  const last = () => {
    const { reason, credential, attributes } = events.at(-1) ?? {}
    return [reason, credential?.id, attributes?.secret, attributes?.secrets_tried]
  }

  test('a caller has both secrets until the cut, and events say which one verified', async () => {
    await secrets.insert({ caller: 'scheduler', version: 2, secret: OWN, acceptsShared: true })
    expect(await post(SHARED, { version: 1 })).toBe(200)
    expect(last()).toEqual([undefined, '*shared*/1', 'shared', undefined])
    expect(await post(OWN, { version: 2 })).toBe(200)
    expect(last()).toEqual([undefined, 'scheduler/2', undefined, undefined])
    expect(await post(SHARED, { caller: 'reports' })).toBe(200)
    expect(await post(OWN, { caller: 'reports', version: 1 })).toBe(401)
    expect(last()).toEqual(['bad_signature', undefined, undefined, 'shared'])
    expect(await post('x'.repeat(40), { version: 1 })).toBe(401)
    expect(last()).toEqual(['bad_signature', undefined, undefined, 'own shared'])

    await secrets.acceptShared('scheduler', false)
    expect(await post(SHARED, { version: 1 })).toBe(401)
    expect(last()).toEqual(['unknown_key_version', undefined, undefined, 'own'])
    expect([await post(OWN, { version: 2 }), await post(SHARED, { caller: 'reports' })]).toEqual([200, 200])

    await secrets.acceptShared('scheduler', true)
    expect(await post(SHARED, { version: 1 })).toBe(200)
  })

  test('both rotate meanwhile, and one version may name either', async () => {
    await secrets.insert({ caller: 'scheduler', version: 1, secret: OWN, acceptsShared: true })
    const own = await secrets.rotate('scheduler', { graceSeconds: 0 })
    await secrets.rotate('*shared*', { secret: NEXT_SHARED, graceSeconds: 0 })
    expect(await post(NEXT_SHARED, { version: 2 })).toBe(200)
    expect(await post(own.secret ?? '', { version: 2 })).toBe(200)
    expect(await post(SHARED, { version: 1 })).toBe(401)
    expect(await post(OWN, { version: 1 })).toBe(401)
    expect(last()).toEqual(['no_active_secret', undefined, undefined, 'own shared'])
  })

  test('a caller whose own versions are all revoked is stopped, whatever secret it has', async () => {
    await secrets.insert({ caller: 'scheduler', version: 2, secret: OWN, acceptsShared: true })
    await secrets.revoke('scheduler', 2)
    expect([await post(SHARED, { version: 1 }), await post(OWN, { version: 2 })]).toEqual([401, 401])
    expect(await post(SHARED, { caller: 'reports' })).toBe(200)
  })

  test('a version of its own that was stored without a word ends the shared one, and forgetting it brings that back', async () => {
    await secrets.insert({ caller: 'scheduler', version: 2, secret: OWN })
    expect(await post(SHARED, { version: 1 })).toBe(401)
    expect(last().at(-1)).toBe('own')
    expect(await secrets.forget('scheduler')).toEqual([2])
    expect(await post(SHARED, { version: 1 })).toBe(200)
  })
})
