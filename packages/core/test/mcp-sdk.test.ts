import { createAudit, type Gate, UnavailableError } from '@countersign/core'
import { defineGate, denied, type GateDefinition, granted, parseAuthorization } from '@countersign/core/gate-kit'
import {
  asOAuthTokenVerifier,
  authInfoOf,
  type BearerPrincipal,
  type OAuthTokenVerifierOptions,
} from '@countersign/core/mcp-sdk'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { requireBearerAuth as requireBearerAuthV2 } from '@modelcontextprotocol/express'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import express from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { keyGate } from './harness.js'

type Reason = 'missing' | 'malformed' | 'expired' | 'insufficient_scope'
type Definition = GateDefinition<string, BearerPrincipal, Reason, 'keys' | 'introspection'>

const EXPIRES_AT = Date.UTC(2100, 0, 1) + 999
const principal: BearerPrincipal = {
  kind: 'token',
  id: 'token-1',
  clientId: 'client-1',
  scopes: Object.freeze(['files:read']),
  expiresAt: EXPIRES_AT,
}

let clock: ReturnType<typeof fakeClock>
let recorded: ReturnType<typeof recordAudit>
beforeEach(() => {
  clock = fakeClock()
  recorded = recordAudit()
})

/** A bearer gate whose token says what happens. */
function tokenGate(changes: Partial<Definition> = {}): Gate<BearerPrincipal> {
  return defineGate<string, BearerPrincipal, Reason, 'keys' | 'introspection'>({
    name: 'token',
    middleware: 'requireToken',
    reads: ['authorization'],
    read: (incoming) => {
      const authorization = parseAuthorization(incoming)
      return authorization.kind === 'credentials' ? authorization.token : undefined
    },
    verify: (token) => {
      clock.advance(2.5)
      if (token === 'bug') throw new TypeError('a bug')
      if (token === 'down') throw new UnavailableError('introspection', 'no answer', { retryAfterSeconds: 7 })
      if (token === 'nonsense') return granted(undefined as unknown as BearerPrincipal)
      return token === 'good' ? granted(principal) : denied('expired')
    },
    dependencies: ['keys', 'introspection'],
    reasons: {
      missing: { status: 401, owasp: 'authn_login_fail' },
      malformed: { status: 401, owasp: 'authn_login_fail' },
      expired: {
        status: 401,
        owasp: 'authn_login_fail',
        problem: { error: 'invalid_token', error_description: 'Expired' },
      },
      insufficient_scope: { status: 403, owasp: 'authz_fail', problem: { detail: 'The token lacks a scope' } },
    },
    challenge: () => [{ scheme: 'Bearer' }],
    withoutRequest: {
      read: (token) => (token === '' ? denied('malformed') : token),
      resource: 'https://api.example.com/mcp',
    },
    options: { audit: recorded.audit, clock },
    ...changes,
  })
}

const needsWrite: Partial<Definition> = {
  demand: (verdict) =>
    verdict.principal.scopes?.includes('files:write')
      ? verdict
      : denied('insufficient_scope', { detail: { principalId: verdict.principal.id } }),
}

describe('the adapter for the MCP SDK', () => {
  test('[core-mcp-sdk] gives what the gate grants, in the shape of AuthInfo', async () => {
    expect(await asOAuthTokenVerifier(tokenGate()).verifyAccessToken('good')).toEqual({
      token: 'token-1',
      clientId: 'client-1',
      scopes: ['files:read'],
      expiresAt: Date.UTC(2100, 0, 1) / 1000,
      resource: new URL('https://api.example.com/mcp'),
      extra: principal,
    })
  })

  test('[core-mcp-sdk] hands on the token itself only when the gate is configured to', async () => {
    const withoutRequest = { read: (token: string) => token, passesToken: true }
    expect(await asOAuthTokenVerifier(tokenGate({ withoutRequest })).verifyAccessToken('good')).toMatchObject({
      token: 'good',
    })
  })

  test('[core-mcp-sdk] enforces what the gate demands beyond authentication', async () => {
    const verifier = asOAuthTokenVerifier(tokenGate(needsWrite))
    await expect(verifier.verifyAccessToken('good')).rejects.toMatchObject({
      code: 'invalid_token',
      message: 'The token lacks a scope',
    })
    expect(recorded.events).toMatchObject([
      { reason: 'insufficient_scope', principal: { kind: 'token', id: 'token-1' } },
    ])
    const later = asOAuthTokenVerifier(
      tokenGate({ demand: async (...given) => needsWrite.demand?.(...given) ?? denied('expired') }),
    )
    await expect(later.verifyAccessToken('good')).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('[core-mcp-sdk] records each decision once, with its latency, and no request', async () => {
    const verifier = asOAuthTokenVerifier(tokenGate())
    for (const token of ['good', 'bad', 'bug', 'down', ''])
      await verifier.verifyAccessToken(token).catch(() => undefined)
    expect(recorded.events.map(({ gate, reason, latencyMs, http }) => [gate, reason, latencyMs, http])).toEqual([
      ['token', undefined, 2.5, undefined],
      ['token', 'expired', 2.5, undefined],
      ['token', 'internal_error', 2.5, undefined],
      ['token', 'introspection', 2.5, undefined],
      ['token', 'malformed', 0, undefined],
    ])
  })

  test('[core-mcp-sdk] rejects an outage with what is unavailable, and a bug with the bug', async () => {
    const verifier = asOAuthTokenVerifier(tokenGate())
    await expect(verifier.verifyAccessToken('down')).rejects.toMatchObject({
      name: 'UnavailableError',
      dependency: 'introspection',
      retryAfterSeconds: 7,
    })
    await expect(verifier.verifyAccessToken('bug')).rejects.toThrow(new TypeError('a bug'))
    await expect(verifier.verifyAccessToken('nonsense')).rejects.toThrow(TypeError)
    expect(recorded.reasons()).toEqual(['introspection', 'internal_error', 'internal_error'])
  })

  test('[core-mcp-sdk] gives nothing that a required sink did not take', async () => {
    recorded.audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
    await expect(asOAuthTokenVerifier(tokenGate()).verifyAccessToken('good')).rejects.toMatchObject({
      name: 'UnavailableError',
      dependency: 'audit_sink',
    })
    // That the sink failed may be told by then, too.
    expect(recorded.events.flatMap(({ gate, reason }) => (gate === undefined ? [] : [reason]))).toEqual(['audit_sink'])
  })

  test.each([undefined, null, 7, {}])('[core-mcp-sdk] takes %j for a token that is malformed', async (token) => {
    await expect(asOAuthTokenVerifier(tokenGate()).verifyAccessToken(token as unknown as string)).rejects.toMatchObject(
      {
        code: 'invalid_token',
      },
    )
  })

  test('[core-mcp-sdk] is refused at creation for a gate whose demands need the request', () => {
    const withoutRequest = { read: (token: string) => token, impossible: 'tools' }
    expect(() => asOAuthTokenVerifier(tokenGate({ withoutRequest }))).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_COUNTERSIGN_REQUEST_NEEDED',
        message: expect.stringContaining('this gate\'s "tools" needs the request'),
      }),
    )
  })

  test.each<[string, unknown]>([
    ['a gate of another kind', keyGate({ audit: createAudit() })],
    ['a middleware', () => undefined],
    ['nothing', undefined],
  ])('[core-mcp-sdk] is refused at creation for %s', (_name, gate) => {
    expect(() => asOAuthTokenVerifier(gate as Gate)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_COUNTERSIGN_NOT_A_BEARER_GATE' }),
    )
  })

  test('[core-mcp-sdk] records a decision whose detail cannot be read as the bug that it is', async () => {
    const detail = {
      get attributes(): never {
        throw new TypeError('a bug')
      },
    }
    const verifier = asOAuthTokenVerifier(tokenGate({ verify: () => granted(principal, detail) }))
    await expect(verifier.verifyAccessToken('good')).rejects.toThrow(new TypeError('a bug'))
    expect(recorded.reasons()).toEqual(['internal_error'])
  })

  test('[core-options] of the adapter for the MCP SDK are checked', () => {
    const make = (options: object) => () => asOAuthTokenVerifier(tokenGate(), options)
    expect(make({ invalidTokn: () => new Error('x') })).toThrow('Did you mean "invalidToken"?')
    expect(make({ invalidToken: 'x' })).toThrow('option "invalidToken" must be a function')
  })

  test('[core-mcp-sdk] works with what optional() made: a token must be good all the same', async () => {
    await expect(asOAuthTokenVerifier(tokenGate().optional()).verifyAccessToken('')).rejects.toMatchObject({
      code: 'invalid_token',
    })
  })
})

describe.each<
  [
    string,
    (options: { verifier: ReturnType<typeof asOAuthTokenVerifier> }) => express.RequestHandler,
    OAuthTokenVerifierOptions,
  ]
>([
  ['version 1', requireBearerAuthV1, { invalidToken: (message) => new InvalidTokenError(message) }],
  ['version 2', requireBearerAuthV2, {}],
])("the MCP SDK's own requireBearerAuth, %s,", (_name, requireBearerAuth, options) => {
  test.each([
    ['good', 200],
    ['bad', 401],
    ['down', 500],
    ['bug', 500],
  ])('[core-mcp-sdk] answers as the gate decides, as far as it can: %s', async (token, status) => {
    const verifier = asOAuthTokenVerifier(tokenGate(), options)
    const app = express().get('/', requireBearerAuth({ verifier }), (incoming, response) => {
      response.json((incoming as { auth?: unknown }).auth)
    })
    const response = await request(app).get('/').set('authorization', `Bearer ${token}`).expect(status)
    if (status === 200) expect(response.body).toMatchObject({ token: 'token-1', scopes: ['files:read'] })
    if (status === 401) expect(response.headers['www-authenticate']).toContain('error="invalid_token"')
    expect(response.text).not.toContain('a bug')
    expect(recorded.events).toHaveLength(1)
  })

  test('[core-mcp-sdk] answers a token without a needed scope with 401, and does not grant it', async () => {
    const verifier = asOAuthTokenVerifier(tokenGate(needsWrite), options)
    const app = express().get('/', requireBearerAuth({ verifier }), (_incoming, response) => void response.end())
    const response = await request(app).get('/').set('authorization', 'Bearer good').expect(401)
    expect(response.body).toMatchObject({ error: 'invalid_token', error_description: 'The token lacks a scope' })
  })
})

describe('authInfoOf', () => {
  test('[core-mcp-sdk] says which client an MCP credential was issued to, and what it may do', () => {
    const credential = {
      kind: 'mcp-credential',
      id: 'c1',
      providerInstanceId: 'p1',
      capabilities: ['preview'],
      threadId: 't1',
    }
    expect(authInfoOf(credential)).toEqual({
      token: 'c1',
      clientId: 'p1',
      scopes: ['preview'],
      extra: credential,
    })
  })

  test('[core-mcp-sdk] is a new object each time, for the SDK and tools may write to it', () => {
    const frozen = Object.freeze({ ...principal })
    const info = authInfoOf(frozen, { token: 'good', resource: 'https://api.example.com' })
    info.scopes.push('more')
    expect(info).toMatchObject({ token: 'good', resource: new URL('https://api.example.com') })
    expect(authInfoOf(frozen).scopes).toEqual(['files:read'])
    Object.assign(info.resource as URL, { pathname: '/other' })
    expect(authInfoOf(frozen, { resource: 'https://api.example.com' }).resource?.pathname).toBe('/')
  })

  test('names its resource as a property like any other, and refuses what is no URL', () => {
    const info = authInfoOf(principal, { resource: 'https://a.example' })
    const other = authInfoOf(principal, { resource: 'https://b.example' })
    expect(JSON.parse(JSON.stringify({ ...other }))).toMatchObject({ resource: 'https://b.example/' })
    expect(info.resource).toBe(info.resource)
    const written = authInfoOf(principal, { resource: 'https://a.example' })
    written.resource = new URL('https://c.example')
    expect([info, other, written].map(({ resource }) => resource?.href)).toEqual([
      'https://a.example/',
      'https://b.example/',
      'https://c.example/',
    ])
    const frozen = Object.freeze(authInfoOf(principal, { resource: 'https://a.example' }))
    expect(frozen.resource?.href).toBe('https://a.example/')
    expect(() => authInfoOf(principal, { resource: 'no URL' })).toThrow('Invalid URL')
  })

  test('[core-mcp-sdk] names no client where the principal names none', () => {
    expect(authInfoOf({ kind: 'token', id: 'a' })).toEqual({
      token: 'a',
      clientId: '',
      scopes: [],
      extra: { kind: 'token', id: 'a' },
    })
  })
})
