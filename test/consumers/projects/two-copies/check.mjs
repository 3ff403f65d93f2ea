import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { startIssuer } from './issuer.mjs'
import { openLink } from './open-link.mjs'
import { serve } from './serve.mjs'

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

/** A store whose method does what `replaced` does. */
function storeWith(store, method, replaced) {
  return new Proxy(store, { get: (target, name) => (name === method ? replaced(target[name]) : target[name]) })
}

/**
 * The gates, by kind. Each part makes what gates verify against (`around` is put around what it asks), gates of any copy
 * on it, and the credentials of a request to a URL. `id` is that of the principal, `dependency` the name of what it asks.
 */
const parts = {
  hmac: {
    dependency: 'replay_store',
    make({ core }, { around }) {
      const replay = core.memoryReplay()
      const shared = storeWith(replay, 'claim', around)
      return {
        id: 'scheduler',
        gate({ hmac }, options) {
          const secrets = hmac.memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
          return hmac.requireHmac({ secrets, audience: AUDIENCE, replay: shared, ...options })
        },
        present: ({ hmac }, url) =>
          hmac.sign(
            { method: 'GET', url, headers: {} },
            { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE },
          ),
      }
    },
  },
  'oauth-bearer': {
    dependency: 'verifier',
    make(_copy, { base, issuer, around }) {
      const isRevoked = around(() => false)
      return {
        id: `${issuer.url}|u1`,
        gate: ({ oauth }, options) =>
          oauth.requireOAuthBearer({ resource: base, issuer: issuer.url, isRevoked, ...options }),
        present: () => ({ authorization: `Bearer ${issuer.token(base)}` }),
      }
    },
  },
  'mcp-credential': {
    dependency: 'credential_store',
    async make({ mcp }, { around, audit }) {
      const store = storeWith(mcp.memoryCredentials(), 'resolve', around)
      const credentials = mcp.createMcpCredentials({ store, audit })
      const { authorizationHeader, credentialId } = await credentials.issue({
        threadId: 't1',
        providerInstanceId: 'p1',
      })
      return {
        id: credentialId,
        gate: (copy, options) => copy.mcp.requireMcpCredential({ credentials, ...options }),
        present: () => ({ authorization: authorizationHeader }),
        isRegistry: true,
      }
    },
  },
  'settings-session': {
    dependency: 'session_store',
    async make({ settings }, { app, base, around, audit }) {
      const store = storeWith(settings.memorySessions(), 'read', around)
      const sessions = settings.createSettingsSessions({ baseUrl: `${base}/settings`, store, audit })
      app.use('/settings', sessions.routes())
      const cookie = await openLink(sessions)
      return {
        id: 'chat:u1',
        // A registry reports to an emitter of its own unless the gate is told another one.
        gate: (copy, options) => copy.settings.requireSettingsSession({ settings: sessions, ...options }),
        present: () => ({ cookie }),
        isRegistry: true,
      }
    },
  },
}

/** Shows that two installed copies of the packages, this app's and a library's, are one to the app. */
export async function check(express, ours, theirs) {
  const warnings = []
  process.on('warning', ({ code, message }) => warnings.push([code, message]))
  assert.notEqual(ours.core.principalOf, theirs.core.principalOf, 'there are two copies')
  for (const [name, middleware] of [
    ['hmac', 'requireHmac'],
    ['oauth', 'requireOAuthBearer'],
    ['mcp', 'requireMcpCredential'],
    ['settings', 'requireSettingsSession'],
  ]) {
    assert.notEqual(ours[name][middleware], theirs[name][middleware], `there are two copies of ${middleware}`)
  }
  assert.equal(ours.core.audit, theirs.core.audit)
  const issuer = await startIssuer()
  try {
    for (const kind of Object.keys(parts)) {
      for (const [copy, other] of [
        [ours, theirs],
        [theirs, ours],
      ]) {
        await checkGate(express, kind, copy, other, issuer)
      }
    }
  } finally {
    await issuer.close()
  }
  await turn()
  // Of one outage the process says one line, whichever copy's gates meet it.
  const told = warnings.filter(([code]) => String(code).startsWith('COUNTERSIGN_'))
  const outages = told.filter(([code]) => code === 'COUNTERSIGN_DEPENDENCY_UNAVAILABLE')
  assert.deepEqual(
    outages.map(([, message]) => /^\S+ \S+/.exec(message)[0]),
    Object.entries(parts).map(([kind, { dependency }]) => `${kind}: ${dependency}`),
  )
  assert.deepEqual(
    told.filter(([code]) => code.includes('CONTRACT_MISMATCH')),
    [],
  )
  console.log('two copies are one')
}

/** One kind of gate, whose registry or store is `copy`'s and whose sinks and readers are of both. */
async function checkGate(express, kind, copy, other, issuer) {
  const copies = [copy, other]
  const { dependency, make } = parts[kind]
  let asked = 0
  let failure
  const around =
    (ask) =>
    (...args) => {
      asked += 1
      if (failure !== undefined) throw failure
      return ask(...args)
    }
  const app = express()
  const { base, close } = await serve(app)
  // What a registry reports is not what is looked at here.
  const part = await make(copy, { app, base, issuer, around, audit: copy.core.createAudit() })
  const { id, isRegistry = false } = part
  // The emitter that all share, as a gate without the option has it.
  const gateOf = (of, options) => part.gate(of, { audit: of.core.audit, ...options })
  const ask = async (path, headers) => {
    const response = await fetch(`${base}${path}`, { headers: headers ?? part.present(copy, `${base}${path}`) })
    const text = await response.text()
    return { status: response.status, retryAfter: response.headers.get('retry-after'), text }
  }
  /** The decisions that a sink of each copy hears while this runs; both must hear the same. */
  const heard = async (work) => {
    const lists = []
    const stops = copies.map(({ core }) => {
      const list = []
      lists.push(list)
      return core.audit.subscribe(({ type, gate, reason, principal }) => {
        if (type.startsWith('access.')) list.push([type, gate, reason ?? principal.id])
      })
    })
    try {
      await work()
    } finally {
      for (const stop of stops) stop()
    }
    assert.deepEqual(lists[0], lists[1], `${kind}: a sink of each copy hears the same`)
    return lists[0]
  }
  const where = (what) => `${kind}: ${what}`
  const readers = (request, response) => response.json(copies.map(({ core }) => core.principalOf(request, kind).id))
  try {
    // A sink hears the gates of both, and each copy finds the principal that the other one's gate granted.
    copies.forEach((of, index) => {
      app.get(`/gate/${index}`, gateOf(of), readers)
    })
    for (const index of [0, 1]) {
      const events = await heard(async () => {
        const granted = await ask(`/gate/${index}`)
        assert.deepEqual([granted.status, granted.text], [200, JSON.stringify([id, id])], where('is granted'))
        assert.equal((await ask(`/gate/${index}`, {})).status, 401)
      })
      assert.deepEqual(events, [
        ['access.granted', kind, id],
        ['access.denied', kind, 'missing'],
      ])
    }

    // A required sink that fails stops the gates of both.
    for (const { core } of copies) {
      const stop = core.audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
      for (const index of [0, 1]) {
        const { status, retryAfter } = await ask(`/gate/${index}`)
        assert.deepEqual([status, retryAfter], [503, '1'], where('a required sink fails'))
      }
      stop()
    }

    // An error of either copy is an outage, with its own Retry-After.
    assert.equal(new other.core.UnavailableError('a', 'b') instanceof copy.core.UnavailableError, false)
    for (const { core } of copies) {
      failure = new core.UnavailableError(dependency, 'down', { retryAfterSeconds: 9 })
      const events = await heard(async () => {
        for (const index of [0, 1]) {
          const { status, retryAfter } = await ask(`/gate/${index}`)
          assert.deepEqual([status, retryAfter], [503, '9'], where('a store of another copy fails'))
        }
      })
      assert.deepEqual(events, Array(2).fill(['access.unavailable', kind, dependency]))
    }
    failure = undefined

    // A request on its way through gates of both (decision 0008). A registry is the verifier wherever the gate is from:
    // it is asked once, and a second grant is no second event. Other gates verify for themselves, and what the request
    // has claimed is no replay for the second.
    app.get('/both', gateOf(copy), gateOf(other), readers)
    asked = 0
    const passed = await heard(async () => {
      const { status, text } = await ask('/both')
      assert.deepEqual([status, text], [200, JSON.stringify([id, id])], where('passes gates of both'))
    })
    assert.deepEqual(passed, Array(isRegistry ? 1 : 2).fill(['access.granted', kind, id]), where('one event for each'))
    // The first gate of HMAC claims the signature for the request.
    assert.equal(asked, kind === 'oauth-bearer' ? 2 : 1, where('asks as decided'))
    // Another request with the same signature is still one.
    if (kind === 'hmac') {
      const headers = part.present(copy, `${base}/both`)
      assert.equal((await ask('/both', headers)).status, 200)
      for (const path of ['/both', '/both?', '/both']) assert.equal((await ask(path, headers)).status, 401)
    }

    // Gates of both compose: the one whose credential is presented decides.
    app.get('/composed', copy.core.firstPresented(gateOf(other), keyGate(copy)), (request, response) =>
      response.json([request.principal.kind, request.principal.id]),
    )
    for (const [headers, status, text] of [
      [undefined, 200, JSON.stringify([kind, id])],
      [{ 'x-key': 'a' }, 200, '["key","a"]'],
      [{}, 401],
    ]) {
      const answer = await ask('/composed', headers)
      assert.deepEqual([answer.status, text && answer.text], [status, text], where('is composed'))
    }

    // They stack, and believe no principal that neither granted.
    app.get('/stacked', keyGate(other), gateOf(copy), (request, response) =>
      response.json([other.core.principalOf(request, kind).id, copy.core.principalOf(request, 'key').id]),
    )
    const stacked = await ask('/stacked', { ...part.present(copy, `${base}/stacked`), 'x-key': 'b' })
    assert.equal(stacked.text, JSON.stringify([id, 'b']), where('is stacked'))
    const forge = (request, _response, next) => {
      request.principal = { kind, id: 'forged' }
      next()
    }
    app.get('/forged', keyGate(other), forge, gateOf(copy).optional(), (request, response) =>
      response.json([request.principal.kind, request.principal.id]),
    )
    assert.equal((await ask('/forged', { 'x-key': 'c' })).text, '["key","c"]', where('a forged principal is hidden'))
  } finally {
    await close()
  }
}
