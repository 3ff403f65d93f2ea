import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { ReplayStore } from '@countersign/core'
import { memorySecrets, rfc9421, sign as signRequest, xHeaders } from '@countersign/hmac'
import type { HmacSecretStore } from '@countersign/hmac/store'
import { afterEach, expect, test } from '@jest/globals'
import { AUDIENCE, type Harness, hmacApp, SECRET, type Signing, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const formats = [rfc9421(), xHeaders()]
const now = () => app.clock.now()
const sign = (signing: Partial<Signing> = {}) => signed({ format: rfc9421(), version: 3, now: now(), ...signing })

/** What the last event says, beside what every event of a gate has. */
function said() {
  const { type, reason, principal, credential, attributes } = app.events.at(-1) ?? {}
  return { type, reason, id: principal?.id, credential, attributes }
}

async function eventOf(headers: Record<string, string>, body?: Uint8Array) {
  await send(app.port, 'POST', '/jobs?a=1', headers, body)
  return said()
}

const RFC9421 = { format: 'rfc9421', skew_seconds: 0 }
const SCHEDULER = { id: 'scheduler', credential: { version: 3 } }

test('a grant names the caller, the version of its key and the format', async () => {
  app = await hmacApp({ formats })
  expect(await eventOf(sign({ now: now() - 2000 }))).toEqual({
    type: 'access.granted',
    reason: undefined,
    id: 'scheduler',
    credential: { id: 'scheduler/3', version: 3 },
    attributes: { format: 'rfc9421', skew_seconds: 2, key_version: 3 },
  })
  const unversioned = await eventOf(sign({ format: xHeaders(), version: undefined as never }))
  expect(unversioned).toMatchObject({
    credential: { id: 'scheduler/3', version: 3 },
    attributes: { format: 'xHeaders', skew_seconds: 0, key_version: 3 },
  })
})

test('a grant by the shared secret names whose secret it was', async () => {
  app = await hmacApp({ formats, callers: ['scheduler', 'worker'] })
  app.secrets.insert({ caller: '*shared*', version: 1, secret: SECRET })
  expect(await eventOf(sign({ caller: 'worker', version: 1 }))).toEqual({
    type: 'access.granted',
    reason: undefined,
    id: 'worker',
    credential: { id: '*shared*/1', version: 1 },
    attributes: { ...RFC9421, key_version: 1, secret: 'shared' },
  })
})

test('a copy names the caller and its key, as the grant did', async () => {
  app = await hmacApp({ formats })
  const headers = sign()
  await eventOf(headers)
  expect(await eventOf(headers)).toEqual({
    type: 'access.denied',
    reason: 'replayed',
    id: 'scheduler',
    credential: { id: 'scheduler/3', version: 3 },
    attributes: { ...RFC9421, key_version: 3 },
  })
})

test.each([
  ['now', 0],
  ['long ago', 400],
])('a stranger who signed %s is named by the format alone, never by the name that it gave', async (_when, age) => {
  app = await hmacApp({ formats })
  for (const format of formats) {
    expect(await eventOf(sign({ caller: 'stranger', format, now: now() - age * 1000 }))).toEqual({
      type: 'access.denied',
      reason: 'unknown_caller',
      id: 'unknown',
      credential: undefined,
      attributes: { format: format.name, skew_seconds: age },
    })
  }
})

test('a wrong signature names the caller, the version that it gave and whose secrets were tried', async () => {
  app = await hmacApp({ formats })
  const secret = 'another-secret-that-is-long-enough-as-well'
  expect(await eventOf(sign({ secret }))).toEqual({
    type: 'access.denied',
    reason: 'bad_signature',
    ...SCHEDULER,
    attributes: { ...RFC9421, key_version: 3, secrets_tried: 'own' },
  })
  expect(await eventOf(sign({ secret, format: xHeaders(), version: undefined as never }))).toEqual({
    type: 'access.denied',
    reason: 'bad_signature',
    id: 'scheduler',
    credential: undefined,
    attributes: { format: 'xHeaders', skew_seconds: 0, secrets_tried: 'own' },
  })
})

test('a version that is not there names whose secrets were looked at', async () => {
  app = await hmacApp({ formats })
  for (const format of formats) {
    expect(await eventOf(sign({ format, version: 9 }))).toEqual({
      type: 'access.denied',
      reason: 'unknown_key_version',
      id: 'scheduler',
      credential: { version: 9 },
      attributes: { format: format.name, skew_seconds: 0, key_version: 9, secrets_tried: 'own' },
    })
  }
})

test('a body of which one digest of two is another one is refused', async () => {
  app = await hmacApp({ formats })
  const body = Buffer.from('{}')
  const digest = (algorithm: string, of: Uint8Array) => createHash(algorithm).update(of).digest('base64')
  const withDigests = (sha256: Uint8Array, sha512: Uint8Array) => {
    const field = `sha-256=:${digest('sha256', sha256)}:, sha-512=:${digest('sha512', sha512)}:`
    return signRequest(
      { method: 'POST', url: '/jobs?a=1', headers: { 'content-digest': field } },
      { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, now: now() },
    )
  }
  expect(await eventOf(withDigests(body, body), body)).toMatchObject({ type: 'access.granted' })
  for (const headers of [withDigests(body, Buffer.from('x')), withDigests(Buffer.from('x'), body)]) {
    expect(await eventOf(headers, body)).toEqual({
      type: 'access.denied',
      reason: 'digest_mismatch',
      ...SCHEDULER,
      attributes: { ...RFC9421, key_version: 3 },
    })
  }
})

test('a signature ends at the second that it names, which is not a part of its time', async () => {
  app = await hmacApp({ formats })
  const ending = (seconds: number) => {
    const headers = sign()
    const input = String(headers['Signature-Input']).replace(';nonce', `;expires=${now() / 1000 + seconds};nonce`)
    return { ...headers, 'Signature-Input': input }
  }
  // The changed text is not what was signed: beyond the check of time it is a wrong signature.
  expect(await eventOf(ending(1))).toMatchObject({ reason: 'bad_signature' })
  expect(await eventOf(ending(0))).toEqual({
    type: 'access.denied',
    reason: 'expired',
    ...SCHEDULER,
    attributes: { ...RFC9421, key_version: 3, late_by_seconds: 0 },
  })
})

test.each(formats.map((format) => [format.name, format] as const))(
  'a body in %s that breaks off is malformed, and names the caller',
  async (name, format) => {
    app = await hmacApp({ formats })
    const headers = sign({ format, body: 'a whole body' })
    const lines = Object.entries({ host: AUDIENCE, ...headers, 'content-length': '12' })
    const socket = connect(app.port, '127.0.0.1')
    const head = lines.map(([key, value]) => `${key}: ${value}\r\n`).join('')
    socket.write(`POST /jobs?a=1 HTTP/1.1\r\n${head}\r\na whole`)
    socket.end()
    await once(socket.resume(), 'close')
    expect(said()).toEqual({
      type: 'access.denied',
      reason: 'malformed',
      ...SCHEDULER,
      attributes: { format: name, skew_seconds: 0, key_version: 3, part: 'body', body: 'aborted' },
    })
  },
)

test('a store of secrets that fails names the caller, and its error is not a refusal', async () => {
  const secrets: HmacSecretStore = {
    ...memorySecrets([]),
    versions: () => {
      throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
    },
  }
  app = await hmacApp({ formats, secrets, callers: ['scheduler'] })
  expect(await eventOf(sign())).toMatchObject({
    type: 'access.unavailable',
    reason: 'secret_store',
    ...SCHEDULER,
    attributes: { ...RFC9421, key_version: 3 },
  })
})

test('a secret that does not open names the caller, whether or not another one is there to try', async () => {
  const opened = memorySecrets([{ caller: 'scheduler', version: 4, secret: SECRET }])
  let readable = 0
  const secrets: HmacSecretStore = {
    ...opened,
    versions: async (caller) => {
      const [version, ...none] = await opened.versions(caller)
      if (version === undefined) return none
      return [{ ...version, version: 3, key: undefined }, ...(readable === 0 ? [] : [version])]
    },
  }
  app = await hmacApp({ formats, secrets, callers: ['scheduler'] })
  const unversioned = { format: xHeaders(), version: undefined as never }
  expect(await eventOf(sign(unversioned))).toEqual({
    type: 'access.unavailable',
    reason: 'secret_unreadable',
    id: 'scheduler',
    credential: undefined,
    attributes: { format: 'xHeaders', skew_seconds: 0, secrets_tried: 'own' },
  })
  readable = 1
  app.clock.advance(60_000)
  expect(await eventOf(sign({ ...unversioned, secret: 'another-secret-that-is-long-enough-as-well' }))).toEqual({
    type: 'access.unavailable',
    reason: 'secret_unreadable',
    id: 'scheduler',
    credential: undefined,
    attributes: { format: 'xHeaders', skew_seconds: 0 },
  })
})

test('a store of what was used that fails names the key, and the milliseconds that it took', async () => {
  const replay: ReplayStore = {
    claim: async () => {
      app.clock.advance(250)
      throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
    },
  }
  app = await hmacApp({ formats, replay })
  app.clock.advance(1000)
  expect(await eventOf(sign())).toMatchObject({
    type: 'access.unavailable',
    reason: 'replay_store',
    id: 'scheduler',
    credential: { id: 'scheduler/3', version: 3 },
    attributes: { ...RFC9421, key_version: 3 },
  })
  expect(app.events.at(-1)?.storeMs).toBe(250)
})

test('a wrong signature without a Host, as HTTP/1.0 allows, is a wrong signature', async () => {
  app = await hmacApp({ formats })
  const headers = sign({ format: xHeaders(), secret: 'another-secret-that-is-long-enough-as-well' })
  const socket = connect(app.port, '127.0.0.1')
  const head = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`)
  socket.end(`POST /jobs?a=1 HTTP/1.0\r\n${head.join('')}\r\n`)
  await once(socket.resume(), 'close')
  expect(said()).toMatchObject({ type: 'access.denied', reason: 'bad_signature', ...SCHEDULER })
})

test.each([
  ['a stranger', { caller: 'stranger' }, 'unknown_caller'],
  ['a version that is not there', { version: 9 }, 'unknown_key_version'],
  ['a wrong signature', { secret: 'another-secret-that-is-long-enough-as-well' }, 'bad_signature'],
])('over a declared digest %s is refused before the body is read', async (_who, signing, reason) => {
  const listenedTo = new Set<unknown>()
  let before: unknown[] = []
  app = await hmacApp({
    formats,
    before: [
      (request, _response, next) => {
        request.on('newListener', (name) => listenedTo.add(name))
        next()
      },
    ],
    onDenied: ({ respond }) => {
      before = [...listenedTo]
      respond()
    },
  })
  const body = 'never sent'
  const headers = { ...sign({ body, ...signing }), host: AUDIENCE, 'content-length': String(body.length) }
  const socket = connect(app.port, '127.0.0.1')
  const head = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`)
  socket.write(`POST /jobs?a=1 HTTP/1.1\r\n${head.join('')}\r\n`)
  const [answer] = await once(socket, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /)
  expect(said()).toMatchObject({ type: 'access.denied', reason })
  // Nothing has begun to read the stream, or to wait for it.
  expect(before).toEqual([])
  socket.destroy()
})
