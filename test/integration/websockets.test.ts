import { once } from 'node:events'
import { connect } from 'node:net'
import { firstPresented, type Gate, principalOf, UnavailableError } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { signedRequest, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { type Headers, type Refused, refused, startWebSocketApp, type WebSocketApp } from '../support/websocket-app.js'

const SIGNER = {
  caller: 'scheduler',
  version: 1,
  secret: 'a-secret-of-the-tests-that-is-long-enough',
  audience: 'app.example.com',
}

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer()
})
afterAll(() => issuer.stop())

let world: WebSocketApp
let credentials: McpCredentials
beforeEach(async () => {
  world = await startWebSocketApp()
  credentials = createMcpCredentials({ audit: world.audit })
})
afterEach(() => world.close())

describe('requireHmac', () => {
  const sign = (changes: Partial<Parameters<typeof signedRequest>[0]> = {}): Headers =>
    signedRequest({ ...SIGNER, method: 'GET', url: `ws://127.0.0.1:${world.port}/live`, ...changes }).headers

  function gateOf(formats?: Parameters<typeof requireHmac>[0]['formats']): Gate {
    const secrets = memorySecrets([{ caller: SIGNER.caller, version: 1, secret: SIGNER.secret }])
    return requireHmac({ secrets, audience: SIGNER.audience, formats, audit: world.audit })
  }

  test('lets a signed handshake through, once', async () => {
    world.serve(gateOf())
    const headers = sign()
    expect(await world.talk(headers)).toBe('hmac: hello')
    expect(await world.talk(headers)).toEqual(refused(401))
    expect(world.decisions()).toEqual([
      ['/live', 'hmac', 'scheduler'],
      ['/live', 'hmac', 'replayed'],
    ])
  })

  test('lets one through that is signed with the x- headers, query included', async () => {
    world.serve(gateOf([xHeaders()]))
    const headers = sign({ url: `http://127.0.0.1:${world.port}/live?room=1`, format: xHeaders() })
    expect(await world.talk(headers, '/live?room=1')).toBe('hmac: hello')
    const other = sign({ url: `http://127.0.0.1:${world.port}/live?room=1`, format: xHeaders() })
    expect(await world.talk(other, '/live?room=2')).toEqual(refused(401))
    expect(world.decisions().at(-1)).toEqual(['/live', 'hmac', 'bad_signature'])
  })

  test.each(['wrong_secret', 'expired', 'wrong_audience', 'unknown_caller'] as const)(
    'refuses one that is signed with the defect %s',
    async (defect) => {
      world.serve(gateOf())
      expect(await world.talk(sign({ defect }))).toEqual(refused(401))
      expect(await world.talk()).toEqual(refused(401))
      expect(world.decisions()).toHaveLength(2)
    },
  )

  test.each<[string, string, Partial<Parameters<typeof signedRequest>[0]>, string]>([
    ['a POST', 'POST', { method: 'POST' }, ''],
    ['a body with a length', 'GET', {}, 'Content-Length: 5\r\n'],
    ['a chunked body', 'GET', {}, 'Transfer-Encoding: chunked\r\n'],
  ])('refuses %s although it is signed: nothing binds what follows', async (_title, method, changes, framing) => {
    world.serve(gateOf())
    const lines = Object.entries(sign(changes)).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(world.port, '127.0.0.1')
    const handshake = `${method} /live HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    socket.write(`${handshake}${framing}${lines.join('')}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /)
    expect(world.decisions()).toEqual([['/live', 'hmac', 'malformed']])
    socket.destroy()
  })
})

describe('a request that offers HTTP/2, as those of curl --http2 and of Java do, beside a gate for upgrades', () => {
  const BODY = JSON.stringify({ job: 'x'.repeat(100_000) })

  /** Sends a request with the offer, and the same once more without; resolves with the two statuses. */
  async function statuses(target: string, headers: Headers, body: string): Promise<string[]> {
    const socket = connect(world.port, '127.0.0.1')
    const offer = {
      Connection: 'Upgrade, HTTP2-Settings',
      Upgrade: 'h2c',
      'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA',
    }
    const given = { Host: `127.0.0.1:${world.port}`, 'Content-Length': String(body.length), ...headers }
    let received = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text
    })
    const found: string[] = []
    for (const fields of [{ ...given, ...offer }, given]) {
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`POST ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
      while (!received.includes('\r\n\r\n')) await once(socket, 'data')
      found.push(received.slice(9, 12))
      received = ''
    }
    socket.destroy()
    return found
  }

  test('is decided on by the gates of Express, its body included', async () => {
    const secrets = memorySecrets([{ caller: SIGNER.caller, version: 1, secret: SIGNER.secret }])
    const hmac = requireHmac({ secrets, audience: SIGNER.audience, audit: world.audit })
    world.serve(hmac)
    world.app.post('/:path', hmac, express.json({ limit: '1mb', type: () => true }), (request, response) => {
      response.status(request.body.job === 'x'.repeat(100_000) ? 204 : 500).end()
    })
    for (const path of ['/jobs', '/live']) {
      const sign = () =>
        signedRequest({ ...SIGNER, method: 'POST', url: `http://127.0.0.1:${world.port}${path}`, body: BODY }).headers
      // The second is the first one, sent again.
      expect(await statuses(path, sign(), BODY)).toEqual(['204', '401'])
      expect(await statuses(path, sign(), BODY.replace('xx', 'xy'))).toEqual(['401', '401'])
    }
    const reasons = ['scheduler', 'replayed', 'digest_mismatch', 'digest_mismatch']
    expect(world.decisions().map(([, , reason]) => reason)).toEqual([...reasons, ...reasons])
  })
})

describe('requireOAuthBearer', () => {
  const gateOf = () =>
    requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, scopes: ['files:read'], audit: world.audit })

  test('lets a token of this resource through', async () => {
    world.serve(gateOf())
    expect(await world.talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(world.decisions()).toEqual([['/live', 'oauth-bearer', expect.any(String)]])
  })

  test('refuses an expired token, one without the scope, one in the query, and none', async () => {
    world.serve(gateOf())
    const expired = await world.talk({ Authorization: `Bearer ${await issuer.badToken('expired')}` })
    expect(expired).toEqual(refused(401))
    expect((expired as Refused).headers['www-authenticate']).toContain('error="invalid_token"')
    const weak = await issuer.token({ claims: { scope: 'other' } })
    expect(await world.talk({ Authorization: `Bearer ${weak}` })).toEqual(refused(403))
    expect(await world.talk({}, `/live?access_token=${await issuer.token()}`)).toEqual(refused(400))
    expect(await world.talk()).toEqual(refused(401))
    expect(world.decisions().map(([, , reason]) => reason)).toEqual([
      'expired',
      'insufficient_scope',
      expect.any(String),
      'missing',
    ])
  })
})

describe('requireMcpCredential', () => {
  const agent = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }
  const gateOf = () => requireMcpCredential({ credentials, audit: world.audit })

  test('lets a live credential through, and takes it off the request', async () => {
    const seen: unknown[] = []
    gateOf().upgrade(world.server, '/live', (request, socket, head, principal) => {
      seen.push(request.headers.authorization, principalOf(request, 'mcp-credential') === principal)
      world.sockets.handleUpgrade(request, socket, head, (client) => client.send('open'))
    })
    const { authorizationHeader } = await credentials.issue(agent)
    expect(await world.talk({ Authorization: authorizationHeader })).toBe('open')
    expect(seen).toEqual([undefined, true])
  })

  test('refuses a revoked one, a malformed one, and none', async () => {
    world.serve(gateOf())
    const { authorizationHeader, credentialId } = await credentials.issue(agent)
    await credentials.revoke(credentialId)
    expect(await world.talk({ Authorization: authorizationHeader })).toEqual(refused(401))
    expect(await world.talk({ Authorization: 'Bearer ' })).toEqual(refused(401))
    expect(await world.talk()).toEqual(refused(401))
    expect(world.decisions().map(([, , reason]) => reason)).toEqual(['revoked', 'placeholder', 'missing'])
  })

  test('closes the open sockets of a credential when it is revoked, and no others', async () => {
    world.serve(gateOf())
    const connectAs = async () => {
      const { authorizationHeader, credentialId } = await credentials.issue({ ...agent, threadId: crypto.randomUUID() })
      return { client: await world.connect({ Authorization: authorizationHeader }), credentialId }
    }
    const revoked = await connectAs()
    const other = await connectAs()
    const closed = once(revoked.client, 'close')
    await credentials.revoke(revoked.credentialId)
    await closed
    other.client.send('still here')
    expect(String((await once(other.client, 'message'))[0])).toBe('mcp-credential: still here')
    other.client.terminate()
  })

  test('with `tools` takes no upgrades, because there is no body to look into', () => {
    const gate = requireMcpCredential({ credentials, tools: { '*': 'preview' } })
    expect(() => world.serve(gate)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_BODY_NEEDED',
        message: expect.stringContaining('requireMcpCredential.upgrade: "tools" needs the body'),
      }),
    )
  })
})

describe('firstPresented, optional() and outages', () => {
  test('each of four gates takes its own credential on one path', async () => {
    const secrets = memorySecrets([{ caller: SIGNER.caller, version: 1, secret: SIGNER.secret }])
    const { audit } = world
    const settings = createSettingsSessions({ baseUrl: `${world.origin}/settings`, audit })
    world.serve(
      firstPresented(
        requireMcpCredential({ credentials, audit }),
        requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit }),
        requireHmac({ secrets, audience: SIGNER.audience, audit }),
        requireSettingsSession({ settings, audit }),
      ),
    )
    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    const { headers } = signedRequest({ ...SIGNER, method: 'GET', url: `http://127.0.0.1:${world.port}/live` })
    expect(await world.talk({ Authorization: issued.authorizationHeader })).toBe('mcp-credential: hello')
    expect(await world.talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(await world.talk(headers)).toBe('hmac: hello')
    expect(await world.talk({ ...headers, Authorization: issued.authorizationHeader })).toEqual(refused(400))
    const none = await world.talk()
    expect(none).toEqual(refused(401))
    expect((none as Refused).headers['www-authenticate']).toMatch(/^Bearer .*Countersign-HMAC/)
  })

  test('an optional gate lets nobody through as nobody, and refuses a bad token', async () => {
    world.serve(requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit: world.audit }).optional())
    expect(await world.talk()).toBe('nobody: hello')
    expect(await world.talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(await world.talk({ Authorization: 'Bearer nonsense' })).toEqual(refused(401))
  })

  test('a store that cannot be asked is 503, and a required sink that fails, too', async () => {
    const { knows: _knows, ...store } = memorySecrets([])
    const secrets = { ...store, versions: () => Promise.reject(new UnavailableError('secret_store', 'down')) }
    world.serve(requireHmac({ secrets, callers: ['scheduler'], audience: SIGNER.audience, audit: world.audit }))
    const { headers } = signedRequest({ ...SIGNER, method: 'GET', url: `http://127.0.0.1:${world.port}/live` })
    const answer = await world.talk(headers)
    expect(answer).toEqual(refused(503))
    expect((answer as Refused).headers['retry-after']).toBe('1')
    expect(world.decisions()).toEqual([['/live', 'hmac', 'secret_store']])

    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    world.audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    requireMcpCredential({ credentials, audit: world.audit }).upgrade(world.server, '/agents', () => undefined)
    expect(await world.talk({ Authorization: issued.authorizationHeader }, '/agents')).toEqual(refused(503))
    expect(world.decisions().at(-1)).toEqual(['/agents', 'mcp-credential', 'audit_sink'])
  })
})
