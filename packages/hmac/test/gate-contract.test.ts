import { memoryReplay } from '@countersign/core'
import { describe, test } from '@jest/globals'
import { type ContractRequest, gateContract } from '../../../test/support/gate-contract.js'
import { memorySecrets, requireHmac, type SignOptions, sign } from '../src/index.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const SIGNING: SignOptions = { caller: 'scheduler', version: 1, secret: SECRET, audience: 'billing.example.com' }

/** A signed request; `changes` are made after it was signed, `signing` before. */
function signed(
  url: string,
  signing: Partial<SignOptions> = {},
  changes: (request: ContractRequest) => ContractRequest = (request) => request,
): ContractRequest {
  const headers = sign({ method: 'GET', url: `${url}/`, headers: {} }, { ...SIGNING, ...signing })
  return changes({ path: '/', headers })
}

/** The request without one of its header fields. */
const without = (name: string) => (request: ContractRequest) => ({
  ...request,
  headers: Object.fromEntries(Object.entries(request.headers ?? {}).filter(([each]) => each.toLowerCase() !== name)),
})

const contract = gateContract({
  name: 'requireHmac',
  make: ({ audit, onDenied, breakable }) => {
    // Without the closed list of callers, which is known without asking.
    const { knows: _knows, ...secrets } = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
    return {
      gate: requireHmac({
        secrets: breakable(secrets),
        callers: ['scheduler'],
        replay: breakable(memoryReplay()),
        audience: 'billing.example.com',
        audit,
        onDenied,
      }),
      good: (url) => signed(url),
      bad: {
        'no signature beside what it covers': {
          request: (url) => signed(url, {}, without('signature')),
          status: 401,
          reason: 'malformed',
        },
        'another secret': {
          request: (url) => signed(url, { secret: SECRET.toUpperCase() }),
          status: 401,
          reason: 'bad_signature',
        },
        'an unknown caller': {
          request: (url) => signed(url, { caller: 'nobody' }),
          status: 401,
          reason: 'unknown_caller',
        },
        'an old signature': {
          request: (url) => signed(url, { now: Date.now() - 3_600_000 }),
          status: 401,
          reason: 'expired',
        },
        'another path': {
          request: (url) => ({ ...signed(url), path: '/other' }),
          status: 401,
          reason: 'bad_signature',
        },
      },
      foreign: {
        'a bearer token': { headers: { Authorization: 'Bearer abc' } },
        'a cookie': { headers: { Cookie: 'a=1' } },
      },
    }
  },
})

describe('the HMAC gate keeps to the contract of gates', () => {
  test.each(contract)('$title', ({ run }) => run())
})
