import { describe, test } from '@jest/globals'
import { type ContractRequest, gateContract } from '../../../test/support/gate-contract.js'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '../src/index.js'

const bearer = (token: string): ContractRequest => ({ headers: { Authorization: `Bearer ${token}` } })
const WORDS = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'], onExisting: 'keep' } as const

const contract = gateContract({
  name: 'requireMcpCredential',
  make: ({ audit, onDenied, breakable }) => {
    const credentials = createMcpCredentials({ store: breakable(memoryCredentials()), audit })
    const issue = async () => credentials.issue(WORDS)
    const revoked = async () => {
      const { token, credentialId } = await issue()
      await credentials.revoke(credentialId)
      return bearer(token)
    }
    return {
      gate: requireMcpCredential({ credentials, audit, onDenied }),
      good: async () => bearer((await issue()).token),
      bad: {
        'a bare Bearer': { request: { headers: { Authorization: 'Bearer' } }, status: 401, reason: 'placeholder' },
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what a client sends when the variable is not set
        'a variable that is not set': { request: bearer('${MCP_TOKEN}'), status: 401, reason: 'placeholder' },
        'our prefix and nothing else': { request: bearer(`${credentials.prefix}_`), status: 401, reason: 'malformed' },
        'another secret': {
          request: async () => bearer((await issue()).token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))),
          status: 401,
          reason: 'malformed',
        },
        'a revoked credential': { request: revoked, status: 401, reason: 'revoked' },
      },
      foreign: {
        'a token without our prefix': bearer('another.token'),
        'another scheme': { headers: { Authorization: 'Basic YTpi' } },
        'a cookie': { headers: { Cookie: 'a=1' } },
      },
      close: () => credentials.close(),
    }
  },
})

describe('the gate of MCP credentials keeps to the contract of gates', () => {
  test.each(contract)('$title', ({ run }) => run())
})
