import { firstPresented } from '@countersign/core'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { expect, test } from '@jest/globals'

test('an order that would send the tokens of agents to an authorization server fails at creation, with the right one', () => {
  const mcp = requireMcpCredential({ credentials: createMcpCredentials() })
  const oauth = requireOAuthBearer({
    resource: 'https://api.example.com',
    issuer: [
      {
        issuer: 'https://issuer.example.com',
        kind: 'opaque',
        introspection: { clientId: 'api', clientSecret: 'a-secret-of-some-length' },
      },
    ],
  })
  const right = 'Put it first: firstPresented(requireMcpCredential, requireOAuthBearer).'
  expect(() => firstPresented(oauth, mcp)).toThrow(right)
  expect(() => firstPresented(oauth.optional(), mcp)).toThrow(right)
  expect(() => firstPresented(mcp, oauth)).not.toThrow()
})
