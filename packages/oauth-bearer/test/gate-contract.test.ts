import { afterAll, beforeAll, describe, test } from '@jest/globals'
import { type ContractRequest, gateContract } from '../../../test/support/gate-contract.js'
import { type TestIssuer, testIssuer } from '../../../test/support/test-issuer.js'
import { requireOAuthBearer } from '../src/index.js'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer({ algorithm: 'ES256' })
})
afterAll(() => issuer.stop())

const bearer = (token: string): ContractRequest => ({ headers: { Authorization: `Bearer ${token}` } })
const bad = (shape: Parameters<TestIssuer['badToken']>[0], reason: string) => ({
  request: async () => bearer(await issuer.badToken(shape)),
  status: 401 as const,
  reason,
})

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
    good: async () => bearer(await issuer.token()),
    bad: {
      'a bare Bearer': { request: { headers: { Authorization: 'Bearer' } }, status: 400, reason: 'malformed' },
      'not a token': bad('not_a_token', 'malformed_token'),
      'an expired token': bad('expired', 'expired'),
      'a token for another resource': bad('wrong_audience', 'wrong_audience'),
      'an altered token': bad('altered', 'bad_signature'),
      'a token without the scope': {
        request: async () => bearer(await issuer.token({ claims: { scope: 'other' } })),
        status: 403,
        reason: 'insufficient_scope',
      },
    },
    foreign: {
      'another scheme': { headers: { Authorization: 'Basic YTpi' } },
      'a cookie': { headers: { Cookie: 'a=1' } },
    },
  }),
})

describe('the OAuth gate keeps to the contract of gates', () => {
  test.each(contract)('$title', ({ run }) => run())
})
