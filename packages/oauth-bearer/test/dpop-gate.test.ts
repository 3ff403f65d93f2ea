import { createAudit, firstPresented, memoryReplay, type ReplayStore, UnavailableError } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { afterEach, describe, expect, test } from '@jest/globals'
import { requireOAuthBearer } from '../src/index.js'
import { type DpopApp, dpopApp } from './dpop-app.js'
import { RESOURCE } from './harness.js'

const ALGS = 'algs="ES256 EdDSA Ed25519 PS256 RS256"'
const INVALID_TOKEN = 'error="invalid_token", error_description="The access token is not valid for this resource"'
const INVALID_PROOF = 'error="invalid_dpop_proof", error_description="The DPoP proof is not valid for this request"'

let dpop: DpopApp
afterEach(() => dpop.app.stop())

const bindingIn = (app: DpopApp) => {
  const { binding, expected_binding: expected, scheme } = app.app.events.at(-1)?.attributes ?? {}
  return { binding, expected, scheme }
}

describe('the scheme and the binding of a token', () => {
  test('[dpop-no-downgrade] a bound token is refused as a bearer token, also when it was accepted before, and with its proof', async () => {
    dpop = await dpopApp()
    const token = await dpop.boundToken()
    expect(await dpop.outcome({ token, scheme: 'Bearer' })).toBe('401 bound_token')
    expect(bindingIn(dpop)).toEqual({ binding: 'jkt', expected: 'none', scheme: undefined })
    expect(await dpop.outcome({ token })).toBe('200 granted')
    for (const proofs of [[], [await dpop.proof(token)]]) {
      expect(await dpop.outcome({ token, scheme: 'Bearer', proofs })).toBe('401 bound_token')
    }
    expect(await dpop.outcome({ token })).toBe('200 granted')
  })

  test('[dpop-no-downgrade] a token that says that it is bound, and not to what, is nobody’s', async () => {
    dpop = await dpopApp()
    for (const claims of [
      { cnf: {} },
      { cnf: 'text' },
      { cnf: { jkt: 7 } },
      { cnf: { 'x5t#S256': 'a' } },
      { typ: 'DPoP' },
      { token_type: 'dpop' },
    ]) {
      const token = await dpop.app.token({ claims })
      expect(await dpop.outcome({ token, scheme: 'Bearer' })).toBe('401 bound_token')
      expect(await dpop.outcome({ token })).toBe('401 bound_token')
      expect(bindingIn(dpop)).toMatchObject({ expected: 'jkt', scheme: 'dpop' })
    }
  })

  test('[dpop-all-checks] a bearer token is accepted as one, and refused under DPoP; the scheme is in any case', async () => {
    dpop = await dpopApp()
    const token = await dpop.app.token()
    expect(await dpop.outcome({ token, scheme: 'Bearer', proofs: [] })).toBe('200 granted')
    expect(await dpop.outcome({ token })).toBe('401 bound_token')
    expect(bindingIn(dpop)).toEqual({ binding: 'none', expected: 'jkt', scheme: 'dpop' })
    for (const scheme of ['dpop', 'DPOP']) expect(await dpop.outcome({ scheme })).toBe('200 granted')
    expect(await dpop.outcome({ scheme: 'Bearer', proofs: [] })).toBe('401 bound_token')
  })

  test('[dpop-binding] further members of cnf do not matter where its jkt is proven', async () => {
    dpop = await dpopApp()
    const token = await dpop.boundToken({ cnf: { jkt: dpop.key.jkt, 'x5t#S256': 'a', x: { y: 1 } } })
    expect(await dpop.outcome({ token })).toBe('200 granted')
    expect(await dpop.outcome({ token, scheme: 'Bearer', proofs: [] })).toBe('401 bound_token')
  })

  test('[dpop-off] without the option, DPoP is another scheme, and bound tokens are refused', async () => {
    dpop = await dpopApp(false)
    expect(await dpop.outcome()).toBe('401 missing')
    expect(await dpop.outcome({ scheme: 'Bearer' })).toBe('401 bound_token')
    expect((await dpop.call()).challenge).toBe('Bearer realm="mcp.example.com"')
    expect(() => dpop.app.gate.dpop()).toThrow(/"dpop\(\)" needs the gate's option "dpop"/)
  })

  test('[dpop-required] where it is required, a bearer token is not enough', async () => {
    dpop = await dpopApp('required')
    expect(await dpop.outcome({ token: await dpop.app.token(), scheme: 'Bearer', proofs: [] })).toBe('401 bound_token')
    expect(bindingIn(dpop)).toMatchObject({ binding: 'none', expected: 'jkt' })
    expect(await dpop.outcome()).toBe('200 granted')
  })
})

test('[dpop-cached] a token that is known under one scheme is checked for the other, with a cache and without', async () => {
  for (const cache of [undefined, false] as const) {
    dpop = await dpopApp('accepted', { cache })
    const bearer = await dpop.app.token()
    const bound = await dpop.boundToken()
    for (const _again of [1, 2, 3]) {
      expect(await dpop.outcome({ token: bearer, scheme: 'Bearer', proofs: [] })).toBe('200 granted')
      expect(await dpop.outcome({ token: bearer })).toBe('401 bound_token')
      expect(await dpop.outcome({ token: bound })).toBe('200 granted')
      expect(await dpop.outcome({ token: bound, proof: { defect: 'other_key' } })).toBe('401 bad_proof jkt')
      expect(await dpop.outcome({ token: bound, scheme: 'Bearer' })).toBe('401 bound_token')
    }
    await dpop.app.stop()
  }
  dpop = await dpopApp()
})

test('[dpop-audience] a good proof makes no token good: issuer, audience, times and scopes count as ever', async () => {
  dpop = await dpopApp('required', { scopes: ['files:read'] })
  const outcome = async (claims: Record<string, unknown>) => dpop.outcome({ token: await dpop.boundToken(claims) })
  expect(await outcome({ aud: 'https://other.example.com' })).toBe('401 wrong_audience')
  expect(await outcome({ iss: 'https://other.example.com' })).toBe('401 wrong_issuer')
  expect(await outcome({ nbf: 4_000_000_000 })).toBe('401 not_yet_valid')
  expect(await outcome({ scope: 'other' })).toBe('403 insufficient_scope')
  expect(await outcome({})).toBe('200 granted')
})

test('[dpop-principal] what was proven is on the principal and in the event, for this request alone', async () => {
  dpop = await dpopApp()
  const { json } = await dpop.call()
  expect(json.principal).toMatchObject({ kind: 'oauth-bearer', confirmation: { jkt: dpop.key.jkt }, via: 'jwt' })
  expect(json.auth).toMatchObject({ extra: { confirmation: { jkt: dpop.key.jkt } } })
  expect(dpop.app.events.at(-1)?.attributes).toEqual({
    issuer: dpop.app.issuer.url,
    via: 'jwt',
    scheme: 'dpop',
    jkt: dpop.key.jkt,
  })
  const bearer = await dpop.call({ token: await dpop.app.token(), scheme: 'Bearer', proofs: [] })
  expect(bearer.json.principal).not.toHaveProperty('confirmation')
})

describe('[dpop-challenge] challenges', () => {
  test('name both schemes, and the error is in that of the scheme that was presented', async () => {
    dpop = await dpopApp('accepted', { scopes: ['files:read'] })
    const said = 'realm="mcp.example.com", scope="files:read"'
    const { headers } = await dpop.app.get()
    expect(headers.get('www-authenticate')).toBe(`Bearer ${said}, DPoP ${said}, ${ALGS}`)
    const bad = await dpop.call({ proof: { defect: 'wrong_url' } })
    expect(bad.challenge).toBe(
      `Bearer ${said}, DPoP realm="mcp.example.com", ${INVALID_PROOF}, scope="files:read", ${ALGS}`,
    )
    expect(bad.json).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      error: 'invalid_dpop_proof',
      error_description: 'The DPoP proof is not valid for this request',
    })
    const token = await dpop.boundToken()
    const invalid = `realm="mcp.example.com", ${INVALID_TOKEN}, scope="files:read"`
    expect((await dpop.call({ token, scheme: 'Bearer' })).challenge).toBe(`Bearer ${invalid}, DPoP ${said}, ${ALGS}`)
    const expired = await dpop.boundToken({ exp: 1 })
    expect((await dpop.call({ token: expired })).challenge).toBe(`Bearer ${said}, DPoP ${invalid}, ${ALGS}`)
    expect(await dpop.outcome({ token: await dpop.boundToken({ scope: 'other' }) })).toBe('403 insufficient_scope')
    expect((await dpop.call({ token: await dpop.boundToken({ scope: 'other' }) })).challenge).toBe(
      `Bearer ${said}, DPoP realm="mcp.example.com", error="insufficient_scope", ` +
        `error_description="The access token lacks a scope that is needed here", scope="files:read", ${ALGS}`,
    )
  })

  test('name DPoP alone where it is required, with the place of the metadata', async () => {
    const options = { mode: 'required', algorithms: ['ES256'] } as const
    dpop = await dpopApp(options, { resourceMetadataUrl: 'https://mcp.example.com/meta' })
    const meta = 'resource_metadata="https://mcp.example.com/meta", algs="ES256"'
    expect((await dpop.app.get()).headers.get('www-authenticate')).toBe(`DPoP realm="mcp.example.com", ${meta}`)
    const token = await dpop.app.token()
    expect((await dpop.call({ token, scheme: 'Bearer', proofs: [] })).challenge).toBe(
      `DPoP realm="mcp.example.com", ${INVALID_TOKEN}, ${meta}`,
    )
  })

  test('say the same of every bad proof, byte for byte', async () => {
    dpop = await dpopApp()
    const token = await dpop.boundToken()
    const used = await dpop.proof(token)
    await dpop.call({ token, proofs: [used] })
    const answers = [await dpop.call({ token, proofs: [used] })]
    for (const defect of [
      'wrong_type',
      'expired',
      'other_key',
      'wrong_signature',
      'private_key',
      'unsigned',
    ] as const) {
      answers.push(await dpop.call({ token, proof: { defect } }))
    }
    const said = answers.map(({ status, challenge, json }) => JSON.stringify({ status, challenge, json }))
    expect(new Set(said).size).toBe(1)
  })
})

test('[dpop-metadata] the metadata has the algorithms, and whether tokens must be bound', async () => {
  const document = async (mode: Parameters<typeof dpopApp>[0]) => {
    dpop = await dpopApp(mode, { routes: (routes, gate) => void routes.use(gate.metadata()) })
    const { json } = await dpop.app.get(undefined, '/.well-known/oauth-protected-resource')
    const { dpop_signing_alg_values_supported: algorithms, dpop_bound_access_tokens_required: isRequired } = json
    return { algorithms, isRequired }
  }
  const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
  expect(await document(false)).toEqual({ algorithms: undefined, isRequired: undefined })
  await dpop.app.stop()
  expect(await document('accepted')).toEqual({ algorithms, isRequired: undefined })
  await dpop.app.stop()
  expect(await document({ mode: 'required', algorithms: ['ES256'] })).toEqual({
    algorithms: ['ES256'],
    isRequired: true,
  })
})

describe('[dpop-order] what is asked in which order', () => {
  test('a proof that is bad with any token costs no verification of one, and an introspection endpoint no question', async () => {
    const asked: string[] = []
    const verify = (token: string) => {
      asked.push(token)
      return null
    }
    dpop = await dpopApp('accepted', { issuer: { issuer: 'https://opaque.example.com', verify } })
    expect(await dpop.outcome({ token: 'opaque', proof: { defect: 'wrong_method' } })).toBe('401 bad_proof htm')
    expect(await dpop.outcome({ token: 'opaque', proofs: [] })).toBe('401 bad_proof missing')
    expect(asked).toEqual([])
    expect(await dpop.outcome({ token: 'opaque' })).toBe('401 inactive')
    expect(asked).toEqual(['opaque'])
  })

  test('of a token that is known, what has become of it is said before what is wrong with the proof', async () => {
    const revoked = new Set<string>()
    dpop = await dpopApp('accepted', { isRevoked: ({ id }) => revoked.has(id) })
    const token = await dpop.boundToken()
    const proofs = [await dpop.proof(token)]
    expect(await dpop.outcome({ token })).toBe('200 granted')
    revoked.add(`${dpop.app.issuer.url}|u1`)
    expect(await dpop.outcome({ token, proofs })).toBe('401 revoked')
    revoked.clear()
    expect(await dpop.outcome({ token, proofs })).toBe('200 granted')
    dpop.app.clock.advance(306_000)
    expect(await dpop.outcome({ token, proof: { defect: 'wrong_url' } })).toBe('401 expired')
  })

  test('[dpop-outage] while the replay store is down the answer is 503, without a challenge, and the proof can be sent again', async () => {
    let isDown = true
    const memory = memoryReplay()
    const replay: ReplayStore = {
      claim(key, ttlMs) {
        if (isDown) throw new UnavailableError('replay_store', 'down', { retryAfterSeconds: 3 })
        return memory.claim(key, ttlMs)
      },
    }
    dpop = await dpopApp({ replay })
    const token = await dpop.boundToken()
    const proofs = [await dpop.proof(token)]
    const { status, headers, challenge } = await dpop.call({ token, proofs })
    expect({ status, retryAfter: headers['retry-after'], challenge }).toEqual({
      status: 503,
      retryAfter: '3',
      challenge: '',
    })
    expect(dpop.app.events.at(-1)).toMatchObject({ type: 'access.unavailable', reason: 'replay_store' })
    expect(await dpop.outcome({ token, proof: { defect: 'wrong_signature' } })).toBe('401 bad_proof signature')
    expect(await dpop.outcome({ token: await dpop.app.token(), scheme: 'Bearer', proofs: [] })).toBe('200 granted')
    isDown = false
    expect(await dpop.outcome({ token, proofs })).toBe('200 granted')
    expect(await dpop.outcome({ token, proofs })).toBe('401 replayed')
  })

  test('a claim is kept for as long as any process may take the proof: the window, and 120 s for clocks', async () => {
    const claims: { key: string; ttlMs: number }[] = []
    const replay: ReplayStore = {
      claim(key, ttlMs) {
        claims.push({ key, ttlMs })
        return 'fresh'
      },
    }
    dpop = await dpopApp({ replay, windowSeconds: 60 })
    const seconds = Math.floor(dpop.app.clock.now() / 1000)
    for (const offset of [-60, 0, 60]) await dpop.call({ proof: { claims: { iat: seconds + offset } } })
    expect(claims.map(({ ttlMs }) => Math.round(ttlMs / 1000))).toEqual([120, 180, 240])
    for (const { key } of claims) expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})

test('[dpop-audit] a grant that the audit did not record gives its proof back', async () => {
  let isFull = true
  const audit = createAudit()
  audit.subscribe(() => (isFull ? Promise.reject(new Error('ENOSPC')) : undefined), { required: true })
  dpop = await dpopApp('accepted', { audit })
  const token = await dpop.boundToken()
  const proofs = [await dpop.proof(token)]
  expect((await dpop.call({ token, proofs })).status).toBe(503)
  isFull = false
  const statuses = await Promise.all([1, 2, 3].map(async () => (await dpop.call({ token, proofs })).status))
  expect(statuses.sort()).toEqual([200, 401, 401])
})

test('[dpop-once] gates on the way of one request take its proof once, whether they were made together or not', async () => {
  const replay = memoryReplay()
  dpop = await dpopApp(
    { replay },
    {
      routes(routes, gate) {
        const apart = () => {
          const { url: issuer } = dpop.app.issuer
          return requireOAuthBearer({ resource: RESOURCE, issuer, clock: dpop.app.clock, dpop: { replay } })
        }
        routes.use('/together', gate, gate.scopes('files:read'), gate.dpop())
        routes.use('/apart', (request, response, next) => apart()(request, response, next))
      },
    },
  )
  for (const path of ['/together', '/apart']) {
    const token = await dpop.boundToken()
    const proofs = [await dpop.proof(token, { url: `https://mcp.example.com${path}` })]
    expect((await dpop.call({ token, path, proofs })).status).toBe(200)
    expect((await dpop.call({ token, path, proofs })).status).toBe(401)
  }
})

test('[dpop-adapter] the adapter of the MCP SDK, which has no request, is refused where tokens must be bound, and refuses bound ones', async () => {
  dpop = await dpopApp('required')
  expect(() => asOAuthTokenVerifier(dpop.app.gate)).toThrow(/"dpop" needs the request/)
  await dpop.app.stop()
  dpop = await dpopApp()
  expect(() => asOAuthTokenVerifier(dpop.app.gate.dpop())).toThrow(/"dpop" needs the request/)
  const verifier = asOAuthTokenVerifier(dpop.app.gate)
  await expect(verifier.verifyAccessToken(await dpop.boundToken())).rejects.toMatchObject({ code: 'invalid_token' })
  expect(dpop.app.last()).toBe('bound_token')
  await expect(verifier.verifyAccessToken(await dpop.app.token())).resolves.toMatchObject({ clientId: 'c1' })
})

test('[dpop-optional] an optional gate refuses a bad proof, and lets a proof without a token through as nothing', async () => {
  dpop = await dpopApp('accepted', {
    routes: (routes, gate) => {
      routes.use(
        '/maybe',
        gate.optional(),
        (request, response) => void response.json({ principal: request.principal ?? null }),
      )
      routes.use(
        '/first',
        firstPresented(gate),
        (request, response) => void response.json({ principal: request.principal }),
      )
    },
  })
  const { proof } = dpop
  const token = await dpop.boundToken()
  const anonymous = await dpop.app.get(undefined, '/maybe', { dpop: await proof(token) })
  expect(anonymous.json).toEqual({ principal: null })
  expect(await dpop.outcome({ path: '/maybe', proof: { defect: 'expired' } })).toBe('401 bad_proof iat')
  expect((await dpop.app.get('DPoP ', '/maybe')).status).toBe(400)
  for (const path of ['/maybe', '/first'])
    expect((await dpop.call({ path })).json.principal).toMatchObject({ subject: 'u1' })
  expect((await dpop.app.get(undefined, '/first')).headers.get('www-authenticate')).toMatch(/^Bearer .*, DPoP /)
})
