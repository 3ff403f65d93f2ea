// What an app does with the installed packages: gates on one Express app, each asked without a credential, with bad ones
// and with a good one. The modules come from the consumer, so that `import` and `require`, and each Express, are tested
// by the same words.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as ask } from 'node:http'
import { openLink } from './open-link.mjs'
import { serve } from './serve.mjs'

const secret = 'a-secret-of-the-consumer-that-is-long-enough'
const audience = 'app.example.com'

/** Asks for an upgrade: the status, and what kind of principal the listener got. */
async function upgrade(url, headers, protocol = 'exercise') {
  const asked = ask(url, { headers: { ...headers, connection: 'Upgrade', upgrade: protocol } }).end()
  const [response, socket] = await Promise.race([once(asked, 'upgrade'), once(asked, 'response')])
  socket?.destroy()
  response.resume()
  return [response.statusCode, response.headers['x-kind']]
}

/** Each package's part: mounts its gate and returns the requests that it must let in and refuse, and why. */
const parts = {
  hmac({ requireHmac, memorySecrets, xHeaders, sign }, { app, base, audit, handler }) {
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret }])
    const options = { secrets, audience, formats: [xHeaders()], audit }
    const gate = requireHmac(options)
    app.post('/hmac/:id', gate, handler)
    // A store that rejects must be an answer, in an Express that does not look at promises, too.
    const replay = { claim: () => Promise.reject(new Error('the store is down')) }
    app.post('/outage/:id', requireHmac({ ...options, replay }), handler)
    const signed = (path, signingSecret = secret, body = '{"job":7}') => {
      const request = { method: 'POST', url: `${base}${path}`, headers: {}, body: Buffer.from(body) }
      const headers = sign(request, { caller: 'scheduler', secret: signingSecret, audience, format: xHeaders() })
      return { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body }
    }
    const handshake = { method: 'GET', url: `${base}/live/hmac`, headers: {} }
    return {
      gate,
      handshake: () => sign(handshake, { caller: 'scheduler', secret, audience, format: xHeaders() }),
      good: () => signed('/hmac/a%20b'),
      bad: {
        'another secret': [() => signed('/hmac/a%20b', `${secret}!`), 401, 'bad_signature'],
        'another path': [() => signed('/hmac/b'), 401, 'bad_signature'],
        'another body': [() => ({ ...signed('/hmac/a%20b'), body: '{"job":8}' }), 401, 'bad_signature'],
      },
      outage: [() => signed('/outage/a%20b'), 'replay_store'],
      isOnce: true,
    }
  },
  'oauth-bearer'({ requireOAuthBearer }, { app, base, audit, handler, issuer }) {
    const gate = requireOAuthBearer({ resource: `${base}/oauth-bearer`, issuer: issuer.url, audit })
    app.use(gate.metadata({ authorizationServerRedirect: true }))
    app.get('/oauth-bearer/:id', gate, handler)
    app.get('/oauth-bearer/:id/files', gate.scopes('files:read'), handler)
    const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } })
    const good = () => bearer(issuer.token(`${base}/oauth-bearer`))
    return {
      gate,
      handshake: () => good().headers,
      good,
      bad: {
        'a token for another': [() => bearer(issuer.token('https://other.example.com')), 401, 'wrong_audience'],
        'no token': [() => bearer('not-a-token'), 401, 'malformed_token'],
        'a missing scope': [good, 403, 'insufficient_scope', '/files'],
      },
    }
  },
  'mcp-credential'({ createMcpCredentials, requireMcpCredential }, { express, app, audit, handler }) {
    const credentials = createMcpCredentials({ audit })
    const gate = requireMcpCredential({ credentials, audit })
    app.get('/mcp-credential/:id', gate, handler)
    app.get('/optional', gate.optional(), (request, response) =>
      response.json({ kind: request.principal?.kind ?? null }),
    )
    app.get('/next', requireMcpCredential({ credentials, audit, onDenied: 'next' }), handler)
    const withTools = requireMcpCredential({ credentials, audit, tools: { 'preview_*': 'preview' } })
    app.post('/mcp-credential/:id/tools', express.json(), withTools, handler)
    assert.throws(() => requireMcpCredential({ credentials, onDeny: 'next' }), {
      code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN',
    })
    const good = async () => {
      const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
      return { headers: { authorization: issued.authorizationHeader } }
    }
    const call = async () => ({
      method: 'POST',
      headers: { ...(await good()).headers, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'preview_start' } }),
    })
    const altered = async () => {
      const { authorization } = (await good()).headers
      return { headers: { authorization: `${authorization.slice(0, -5)}AAAAA` } }
    }
    return {
      gate,
      handshake: async () => (await good()).headers,
      good,
      bad: {
        'an altered one': [altered, 401, 'malformed'],
        'one without the capability of a tool': [call, 403, 'insufficient_scope', '/tools'],
      },
    }
  },
  'settings-session'({ createSettingsSessions, requireSettingsSession }, { app, base, audit, handler }) {
    const settings = createSettingsSessions({ baseUrl: `${base}/settings-session`, audit })
    app.use('/settings-session', settings.routes())
    const gate = requireSettingsSession({ settings, audit })
    app.all('/settings-session/:id', gate, handler)
    const good = async () => ({ headers: { cookie: await openLink(settings) } })
    const altered = async () => {
      const { cookie } = (await good()).headers
      return { headers: { cookie: `${cookie.slice(0, -5)}AAAAA` } }
    }
    const crossSite = async () => ({
      method: 'POST',
      headers: { ...(await good()).headers, origin: 'https://evil.example' },
    })
    return {
      gate,
      handshake: async () => ({ ...(await good()).headers, origin: base }),
      good,
      bad: {
        'an altered one': [altered, 401, 'unknown'],
        'one from another site': [crossSite, 403, 'cross_site'],
      },
    }
  },
}

/** Uses the given gate packages, `{ folder: module }`, on top of express and the audit package. Returns their names. */
export async function exercise({ express, createAudit, gates, issuer }) {
  const events = []
  const audit = createAudit({ sinks: [(event) => events.push(event)] })
  const app = express()
  const { base, server, close } = await serve(app)
  const handler = (request, response) => response.json({ kind: request.principal.kind, id: request.params.id })
  const decisions = () =>
    events.splice(0).flatMap(({ type, gate, reason }) => (type.startsWith('access.') ? [[type, gate, reason]] : []))
  try {
    for (const [name, module] of Object.entries(gates)) {
      const url = `${base}/${name}/a%20b`
      const { gate, handshake, good, bad, outage, isOnce } = parts[name](module, {
        express,
        app,
        base,
        audit,
        handler,
        issuer,
      })
      const method = (await good()).method ?? 'GET'
      const nothing = [() => ({ method }), 401, 'missing']
      for (const [title, [make, status, reason, below = '']] of Object.entries({ nothing, ...bad })) {
        const request = await make()
        events.length = 0
        const response = await fetch(`${url}${below}`, request)
        assert.deepEqual(
          [response.status, decisions()],
          [status, [['access.denied', name, reason]]],
          `${name}: ${title}`,
        )
        assert.equal(response.headers.has('www-authenticate'), status === 401 || reason === 'insufficient_scope')
      }
      const request = await good()
      events.length = 0
      const granted = await fetch(url, request)
      // Parsed here: in Jest the objects of `response.json()` have prototypes of another realm.
      assert.deepEqual([granted.status, JSON.parse(await granted.text())], [200, { kind: name, id: 'a b' }])
      assert.deepEqual(decisions(), [['access.granted', name, undefined]])
      if (isOnce) {
        assert.equal((await fetch(url, request)).status, 401)
        assert.deepEqual(decisions(), [['access.denied', name, 'replayed']])
      }
      gate.upgrade(server, `/live/${name}`, (_request, socket, _head, { kind }) =>
        socket.end(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: exercise\r\nX-Kind: ${kind}\r\n\r\n`,
        ),
      )
      const live = await handshake()
      events.length = 0
      assert.deepEqual(await upgrade(`${base}/live/${name}`, live), [101, name])
      assert.deepEqual(await upgrade(`${base}/live/${name}`, {}), [401, undefined])
      assert.deepEqual(decisions(), [
        ['access.granted', name, undefined],
        ['access.denied', name, 'missing'],
      ])
      if (outage !== undefined) {
        const [make, dependency] = outage
        const response = await fetch(`${base}/outage/a%20b`, await make())
        assert.equal(response.status, 503)
        assert.deepEqual(decisions(), [['access.unavailable', name, dependency]])
      }
    }
    if (gates['mcp-credential'] !== undefined) {
      app.use((error, _request, response, _next) =>
        response.status(418).json({ code: error.code, status: error.status }),
      )
      assert.equal(await (await fetch(`${base}/optional`)).text(), '{"kind":null}')
      // With a listener for upgrades, Node hands no such request to Express.
      assert.deepEqual(await upgrade(`${base}/optional`, {}, 'h2c'), [200, undefined])
      const bad = { headers: { authorization: 'Bearer mcp_bad' } }
      const refused = await fetch(`${base}/next`, bad)
      assert.equal(await refused.text(), '{"code":"ERR_COUNTERSIGN_ACCESS_DENIED","status":401}')
      // A bare scheme is no credential of another gate: it is refused even where a credential is optional.
      assert.equal((await fetch(`${base}/optional`, { headers: { authorization: 'Bearer' } })).status, 401)
    }
    if (gates['oauth-bearer'] !== undefined) {
      const wellKnown = `${base}/.well-known`
      const document = await (await fetch(`${wellKnown}/oauth-protected-resource/oauth-bearer`)).json()
      assert.equal(document.resource, `${base}/oauth-bearer`)
      const redirect = await fetch(`${wellKnown}/oauth-authorization-server`, { redirect: 'manual' })
      assert.deepEqual([redirect.status, redirect.headers.get('location')?.startsWith(issuer.url)], [302, true])
    }
  } finally {
    await close()
    await issuer.close()
  }
  return `exercised [${Object.keys(gates).join(', ')}]`
}
