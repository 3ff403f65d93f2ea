import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { gateContract, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, beforeAll, describe, test } from '@jest/globals'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer({ resource: 'https://api.example.com' })
})
afterAll(() => issuer.stop())

const bearer = async (token: string | Promise<string>) => ({ headers: { authorization: `Bearer ${await token}` } })

describe('the gate contract', () => {
  const contract = gateContract({
    name: 'requireOAuthBearer',
    make: ({ audit, onDenied, breakable }) => ({
      gate: requireOAuthBearer({
        issuer: issuer.url,
        resource: issuer.resource,
        scopes: ['files:read'],
        isRevoked: breakable(() => false),
        audit,
        onDenied,
      }),
      good: () => bearer(issuer.token()),
      bad: {
        'not a JWT': { request: () => bearer('opaque'), status: 401, reason: 'malformed_token' },
        'another issuer': {
          request: () => bearer(issuer.badToken('wrong_issuer')),
          status: 401,
          reason: 'wrong_issuer',
        },
        forged: { request: () => bearer(issuer.badToken('wrong_signature')), status: 401, reason: 'bad_signature' },
        expired: { request: () => bearer(issuer.badToken('expired')), status: 401, reason: 'expired' },
        'without a scope': {
          request: () => bearer(issuer.token({ claims: { scope: 'other' } })),
          status: 403,
          reason: 'insufficient_scope',
        },
      },
      foreign: {
        'another scheme': { headers: { authorization: 'Basic dTpw' } },
        'another header field': { headers: { 'x-api-key': 'a' } },
      },
    }),
  })
  for (const { title, run } of contract) test(title, run)
})
