import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import {
  decodeToken,
  discoverIssuer,
  explainToken,
  resourceMetadataUrl,
  summariseKeySet,
} from '@countersign/oauth-bearer/explain'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { type DpopProofOptions, dpopKey, dpopProof } from '../../../test/support/dpop-proof.js'
import { serve } from '../../../test/support/http-server.js'
import { type TestIssuer, testIssuer } from '../../../test/support/test-issuer.js'
import { reasons } from '../src/reasons.js'
import { addIntrospection } from './introspector.js'
import { makeKey, signToken, startIssuer } from './test-issuer.js'

let issuer: TestIssuer
type Shape = Parameters<TestIssuer['badToken']>[0]
const cleanUp: (() => Promise<void>)[] = []
beforeEach(async () => {
  issuer = await testIssuer({ resource: 'https://api.example.com' })
})
afterEach(async () => {
  for (const stop of cleanUp.splice(0)) await stop()
  await issuer.stop()
})

const options = (): RequireOAuthBearerOptions => ({ resource: issuer.resource, issuer: issuer.url })
/** Reason or outcome, and the last step that was reached. */
async function explained(token: string, rest: Partial<RequireOAuthBearerOptions> = {}) {
  const { verdict, steps } = await explainToken(token, { ...options(), ...rest })
  const end = steps.find(({ outcome }) => outcome === 'failed' || outcome === 'unknown')
  const told =
    verdict.outcome === 'denied' ? verdict.reason : verdict.outcome === 'granted' ? 'granted' : verdict.dependency
  return [told, end?.step]
}

describe('explainToken', () => {
  const SHAPES: Record<Shape | 'good', [string, string | undefined]> = {
    good: ['granted', undefined],
    expired: ['expired', 'times'],
    not_yet_valid: ['not_yet_valid', 'times'],
    wrong_issuer: ['wrong_issuer', 'issuer'],
    wrong_audience: ['wrong_audience', 'audience'],
    no_audience: ['missing_claim', 'claims'],
    wrong_type: ['wrong_type', 'type'],
    unknown_key: ['unknown_key', 'key'],
    wrong_signature: ['bad_signature', 'signature'],
    altered: ['bad_signature', 'signature'],
    unsigned: ['wrong_algorithm', 'key'],
    public_key_as_secret: ['wrong_algorithm', 'key'],
    not_a_token: ['malformed_token', 'form'],
  }

  test.each(Object.keys(SHAPES) as (keyof typeof SHAPES)[])(
    'agrees with the gate on each token that the test issuer makes, and tells where it ends: %s',
    async (shape) => {
      const { audit, events } = recordAudit()
      const app = express().use(
        requireOAuthBearer({ ...options(), audit }),
        (_request, response) => void response.end(),
      )
      const server = await serve(app)
      cleanUp.push(server.close)
      const token = shape === 'good' ? await issuer.token() : await issuer.badToken(shape)
      await (await fetch(server.url, { headers: { authorization: `Bearer ${token}` } })).text()
      const told = await explained(token)
      expect(told).toEqual(SHAPES[shape])
      expect(events.map(({ reason }) => reason ?? 'granted')).toEqual([told[0]])
    },
  )

  test('tells every step, in order', async () => {
    const { steps } = await explainToken(await issuer.badToken('expired'), options())
    expect(steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'form passed',
      'issuer passed',
      'type passed',
      'key passed',
      'signature passed',
      'claims passed',
      'times failed',
      'binding not_reached',
      'audience not_reached',
      'revocation not_reached',
      'scopes not_reached',
    ])
  })

  test('tells of form, binding, revocation, scopes and outages', async () => {
    expect(await explained('')).toEqual(['malformed', 'form'])
    expect(await explained('a b')).toEqual(['malformed', 'form'])
    expect(await explained('a'.repeat(9000))).toEqual(['malformed', 'form'])
    expect(await explained(await issuer.token({ claims: { cnf: { jkt: 'a' } } }))).toEqual(['bound_token', 'binding'])
    const token = await issuer.token()
    expect(await explained(token, { isRevoked: () => true })).toEqual(['revoked', 'revocation'])
    expect(await explained(token, { isRevoked: () => Promise.reject(new Error('down')) })).toEqual([
      'verifier',
      'revocation',
    ])
    expect(await explained(token, { scopes: ['files:write'] })).toEqual(['insufficient_scope', 'scopes'])
    const broken = () => Promise.reject(new TypeError('bug'))
    await expect(explainToken(token, { ...options(), isRevoked: broken })).rejects.toThrow('bug')
    issuer.fail(500)
    expect(await explained(token)).toEqual(['keys', 'key'])
    const { verdict } = await explainToken(token, options())
    expect(verdict.detail?.attributes).toEqual({ failure: 'status 500', issuer: issuer.url })
  })

  test('tells of introspection and of the app’s own function', async () => {
    const own = await startIssuer(await makeKey('k1'))
    cleanUp.push(own.close)
    const { tokens } = addIntrospection(own)
    const good = { active: true, iss: own.url, aud: issuer.resource, sub: 'u1', exp: 9_999_999_999 }
    tokens.set('good', good)
    tokens.set('elsewhere', { ...good, aud: 'https://elsewhere.example.com' })
    const introspection = { clientId: 'c', clientSecret: 's' }
    const asking = { issuer: { issuer: own.url, kind: 'opaque', introspection } } as const
    expect(await explained('good', asking)).toEqual(['granted', undefined])
    expect(await explained('bad', asking)).toEqual(['inactive', 'introspection'])
    expect(await explained('elsewhere', asking)).toEqual(['wrong_audience', 'audience'])
    const verify = () => Promise.reject(new Error('down'))
    expect(await explained('any', { issuer: { issuer: own.url, verify } })).toEqual(['verifier', 'introspection'])
    const key = await makeKey('k1')
    const forged = await signToken(key, { issuer: own.url, audience: issuer.resource, now: Date.now() })
    const mixed = { issuer: { issuer: own.url, introspection } }
    expect(await explained(forged, mixed)).toEqual(['bad_signature', 'verification'])
  })

  test('has a step for every reason that a token can be refused for', async () => {
    const ends = new Set<string>()
    const { steps } = await explainToken(await issuer.token(), options())
    expect(steps.every(({ outcome }) => outcome === 'passed')).toBe(true)
    for (const [reason] of Object.values(SHAPES)) ends.add(reason)
    for (const reason of ['malformed', 'bound_token', 'revoked', 'insufficient_scope', 'inactive']) ends.add(reason)
    // These need a request, a scheme of their own or an operation: no token alone is refused for them.
    const others = ['missing', 'ambiguous', 'legacy_refused', 'insufficient_authentication', 'bad_proof', 'replayed']
    expect([...ends, ...others].filter((reason) => reason !== 'granted').sort()).toEqual(Object.keys(reasons).sort())
  })
})

describe('what the command needs beside it', () => {
  test('discoverIssuer finds the document, and tells of each place that does not have it', async () => {
    const found = await discoverIssuer(issuer.url)
    expect(found).toMatchObject({
      url: `${issuer.url}/.well-known/oauth-authorization-server`,
      metadata: { issuer: issuer.url },
      attempts: [],
    })
    const other = await discoverIssuer(issuer.url.replace('127.0.0.1', 'localhost'))
    expect(other.metadata).toBeUndefined()
    expect(other.attempts.map(({ error, metadata }) => [error.message, metadata?.issuer])).toEqual([
      ['invalid issuer', issuer.url],
      ['invalid issuer', issuer.url],
    ])
    issuer.fail(404)
    expect(
      (await discoverIssuer(`${issuer.url}/tenant`)).attempts.map(({ url, error }) => [url, error.message]),
    ).toEqual([
      [`${issuer.url}/.well-known/oauth-authorization-server/tenant`, 'status 404'],
      [`${issuer.url}/tenant/.well-known/openid-configuration`, 'status 404'],
      [`${issuer.url}/.well-known/openid-configuration/tenant`, 'status 404'],
    ])
    issuer.hang()
    const late = await discoverIssuer(issuer.url, { timeoutMs: 50 })
    expect(late.attempts.map(({ error }) => error.failure)).toEqual(['timeout', 'timeout'])
    const aborted = await discoverIssuer(issuer.url, { signal: AbortSignal.abort() })
    expect(aborted.attempts.map(({ error }) => error.code)).toEqual(['ABORT_ERR'])
  })

  test('decodeToken reads what the gate would parse, and nothing else', async () => {
    const token = await issuer.token({ claims: { sub: 'u7' } })
    expect(decodeToken(token)).toMatchObject({ header: { typ: 'at+jwt' }, claims: { sub: 'u7' } })
    expect(['opaque', 'a.b.c', `${token}=`].map(decodeToken)).toEqual([undefined, undefined, undefined])
  })

  test('summariseKeySet counts keys by the gate’s rules', async () => {
    const { jwk } = await makeKey('k1')
    const weak = { kty: 'RSA', n: 'AQAB', e: 'AQAB' }
    const leaked = { ...jwk, d: 'AQAB' }
    expect(await summariseKeySet({ keys: [jwk, weak] })).toEqual({ total: 2, usable: 1, hasPrivateKey: false })
    expect(await summariseKeySet({ keys: [leaked] })).toEqual({ total: 1, usable: 0, hasPrivateKey: true })
    expect(await summariseKeySet({ keys: [] })).toEqual({ total: 0, usable: 0, hasPrivateKey: false })
    expect(await summariseKeySet({})).toBeUndefined()
  })

  test('resourceMetadataUrl puts the well-known part between host and path', () => {
    expect(resourceMetadataUrl('https://a.example.com/mcp?x=1')).toBe(
      'https://a.example.com/.well-known/oauth-protected-resource/mcp?x=1',
    )
    expect(resourceMetadataUrl('https://a.example.com')).toBe(
      'https://a.example.com/.well-known/oauth-protected-resource',
    )
  })

  test('presents a token with a proof, and says which part of the proof is wrong', async () => {
    const key = await dpopKey()
    const url = 'https://mcp.example.com/mcp'
    const token = await issuer.token({ boundTo: key })
    const dpop = { ...options(), resource: url, audience: issuer.resource, dpop: 'accepted' } as const
    const by = async (rest: Partial<DpopProofOptions> = {}) => {
      const proof = await dpopProof({ key, token, url, ...rest })
      const { verdict, steps } = await explainToken(token, dpop, { proof, method: 'GET', url: `${url}?a=b` })
      const failed = steps.find(({ outcome }) => outcome === 'failed')?.step
      return [verdict.outcome === 'denied' ? verdict.detail?.attributes?.part : verdict.outcome, failed]
    }
    expect(await by()).toEqual(['granted', undefined])
    expect(await by({ method: 'POST' })).toEqual(['htm', 'proof'])
    expect(await by({ defect: 'other_key' })).toEqual(['jkt', 'proof'])
    const alone = await explainToken(token, dpop)
    expect(alone.steps.find(({ outcome }) => outcome === 'failed')?.step).toBe('binding')
    await expect(explainToken(token, options(), { proof: 'x', method: 'GET', url })).rejects.toThrow(/"dpop"/)
  })
})
