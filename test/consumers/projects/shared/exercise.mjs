// What an app does with the installed packages: gates on one Express app, each asked once without and once with a
// credential. The modules come from the consumer, so that `import` and `require` are tested by the same words.
import assert from 'node:assert/strict'
import { openLink } from './open-link.mjs'
import { serve } from './serve.mjs'

/** Each package's part: mounts its gate and returns how to present a credential. */
const parts = {
  hmac({ requireHmac, memorySecrets, xHeaders, sign }, { app, base, audit, handler }) {
    const secret = 'a-secret-of-the-consumer-that-is-long-enough'
    const audience = 'app.example.com'
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret }])
    app.get('/hmac', requireHmac({ secrets, audience, formats: [xHeaders()], audit }), handler)
    const request = { method: 'GET', url: `${base}/hmac`, headers: {}, body: Buffer.alloc(0) }
    return () => sign(request, { caller: 'scheduler', secret, audience, format: xHeaders() })
  },
  'oauth-bearer'({ requireOAuthBearer }, { app, base, audit, handler, issuer }) {
    const gate = requireOAuthBearer({ resource: `${base}/oauth-bearer`, issuer: issuer.url, audit })
    app.use(gate.metadata())
    app.get('/oauth-bearer', gate, handler)
    return () => ({ authorization: `Bearer ${issuer.token(`${base}/oauth-bearer`)}` })
  },
  'mcp-credential'({ createMcpCredentials, requireMcpCredential }, { app, audit, handler }) {
    const credentials = createMcpCredentials({ audit })
    app.get('/mcp-credential', requireMcpCredential({ credentials, audit }), handler)
    assert.throws(() => requireMcpCredential({ credentials, onDeny: 'next' }), {
      code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN',
    })
    return async () => {
      const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
      return { authorization: issued.authorizationHeader }
    }
  },
  'settings-session'({ createSettingsSessions, requireSettingsSession }, { app, base, audit, handler }) {
    const settings = createSettingsSessions({ baseUrl: `${base}/settings-session`, audit })
    app.use('/settings-session', settings.routes())
    app.use('/settings-session', requireSettingsSession({ settings, audit }), handler)
    return async () => ({ cookie: await openLink(settings) })
  },
}

/** Uses the given gate packages, `{ folder: module }`, on top of express and the audit package. Returns their names. */
export async function exercise({ express, createAudit, gates, issuer }) {
  const events = []
  const audit = createAudit({ sinks: [(event) => events.push(event)] })
  const app = express()
  const { base, close } = await serve(app)
  const handler = (request, response) => response.json({ kind: request.principal.kind })
  try {
    for (const [name, module] of Object.entries(gates)) {
      events.length = 0
      const credential = parts[name](module, { app, base, audit, handler, issuer })
      assert.equal((await fetch(`${base}/${name}`)).status, 401, `${name} without a credential`)
      const headers = await credential()
      const granted = await fetch(`${base}/${name}`, { headers })
      assert.deepEqual([granted.status, await granted.json()], [200, { kind: name }])
      const decided = events.filter(({ type }) => type.startsWith('access.'))
      assert.deepEqual(
        decided.map(({ type, gate }) => [type, gate]),
        [
          ['access.denied', name],
          ['access.granted', name],
        ],
      )
    }
  } finally {
    await close()
    await issuer.close()
  }
  return `exercised [${Object.keys(gates).join(', ')}]`
}
