import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'

const AUDIENCE = 'app.example.com'
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

/** A gate of one copy on `x-key`, made for this app. */
function keyGate({ kit }, options) {
  return kit.defineGate({
    name: 'key',
    middleware: 'requireKey',
    reads: ['x-key'],
    read: (request) => kit.fieldLines(request, 'x-key')[0],
    verify: (id) => kit.granted({ kind: 'key', id }),
    dependencies: ['key_store'],
    reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
    challenge: () => [{ scheme: 'Key' }],
    options,
  })
}

/** A gate of one copy on signatures. */
function hmacGate({ hmac }, options = {}) {
  const secrets = hmac.memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  return hmac.requireHmac({ secrets, audience: AUDIENCE, ...options })
}

function signed({ hmac }, url) {
  const signing = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE }
  return hmac.sign({ method: 'GET', url, headers: {} }, signing)
}

async function serving(app, work) {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work(`http://127.0.0.1:${server.address().port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** Shows that two installed copies of the packages, this app's and a library's, are one to the app. */
export async function check(express, ours, theirs) {
  const warnings = []
  process.on('warning', ({ code }) => warnings.push(code))
  assert.notEqual(ours.core.principalOf, theirs.core.principalOf, 'there are two copies')
  assert.notEqual(ours.hmac.requireHmac, theirs.hmac.requireHmac, 'there are two copies')
  const copies = [ours, theirs]

  // One emitter: a sink hears the gates of both, whichever copy it was subscribed by.
  assert.equal(ours.core.audit, theirs.core.audit)
  for (const { core } of copies) {
    const heard = []
    const stop = core.audit.subscribe(({ type, gate, principal }) => void heard.push([type, gate, principal.id]))
    const app = express()
    copies.forEach((copy, index) => {
      app.get(`/${index}`, hmacGate(copy), (request, response) => {
        // Each copy's principalOf finds what the other one's gate granted.
        response.json(copies.map((reader) => reader.core.principalOf(request, 'hmac').id))
      })
    })
    await serving(app, async (url) => {
      for (const [index, copy] of copies.entries()) {
        const response = await fetch(`${url}/${index}`, { headers: signed(copy, `${url}/${index}`) })
        assert.deepEqual([response.status, await response.json()], [200, ['scheduler', 'scheduler']])
      }
      assert.equal((await fetch(`${url}/1`)).status, 401)
    })
    stop()
    assert.deepEqual(heard, [
      ['access.granted', 'hmac', 'scheduler'],
      ['access.granted', 'hmac', 'scheduler'],
      ['access.denied', 'hmac', 'unknown'],
    ])
  }

  // A required sink that fails stops the gates of both.
  for (const { core } of copies) {
    const stop = core.audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    for (const copy of copies) {
      const app = express().get('/', hmacGate(copy), (_request, response) => response.end())
      await serving(app, async (url) => {
        const response = await fetch(`${url}/`, { headers: signed(copy, `${url}/`) })
        assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
      })
    }
    stop()
  }

  // An error of the other copy's store is an outage, with its own Retry-After.
  for (const [copy, other] of [
    [ours, theirs],
    [theirs, ours],
  ]) {
    const reasons = []
    const audit = copy.core.createAudit({ sinks: [({ reason }) => void reasons.push(reason)] })
    const replay = {
      claim: () => {
        throw new other.core.UnavailableError('replay_store', 'down', { retryAfterSeconds: 9 })
      },
    }
    assert.equal(new other.core.UnavailableError('a', 'b') instanceof copy.core.UnavailableError, false)
    assert.equal(copy.kit.isUnavailable(new other.core.UnavailableError('a', 'b')), true)
    await serving(express().get('/', hmacGate(copy, { replay, audit })), async (url) => {
      const response = await fetch(`${url}/`, { headers: signed(copy, `${url}/`) })
      assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '9'])
    })
    assert.deepEqual(reasons, ['replay_store'])
  }

  // Gates of both compose, stack, and believe no principal that neither granted.
  for (const [copy, other] of [
    [ours, theirs],
    [theirs, ours],
  ]) {
    const app = express()
    app.get('/composed', copy.core.firstPresented(hmacGate(other), keyGate(copy)), (request, response) => {
      response.json(request.principal)
    })
    app.use('/stacked', keyGate(other))
    app.get('/stacked', hmacGate(copy), (request, response) => {
      response.json([other.core.principalOf(request, 'hmac').id, copy.core.principalOf(request, 'key').id])
    })
    app.get(
      '/forged',
      keyGate(other),
      (request, _response, next) => {
        request.principal = { kind: 'key', id: 'forged' }
        next()
      },
      hmacGate(copy).optional(),
      (request, response) => response.json(request.principal),
    )
    await serving(app, async (url) => {
      const ask = async (path, headers) => (await fetch(`${url}${path}`, { headers })).json()
      assert.deepEqual(await ask('/composed', { 'x-key': 'a' }), { kind: 'key', id: 'a' })
      assert.equal((await ask('/composed', signed(copy, `${url}/composed`))).id, 'scheduler')
      const both = { ...signed(copy, `${url}/stacked`), 'x-key': 'b' }
      assert.deepEqual(await ask('/stacked', both), ['scheduler', 'b'])
      assert.deepEqual(await ask('/forged', { 'x-key': 'c' }), { kind: 'key', id: 'c' })
    })
  }

  await turn()
  assert.deepEqual(
    warnings.filter((code) => String(code).includes('CONTRACT_MISMATCH')),
    [],
  )
  console.log('two copies are one')
}
