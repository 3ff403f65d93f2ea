import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

// AuthKit as the authorization server of an MCP server: add the resource's URL as a resource indicator there.
export const workos: IssuerOptions = {
  issuer: 'https://example.authkit.app',
  profile: 'relaxed',
  claims: { organizationId: 'org_id', sessionId: 'sid' },
}

export const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: workos })
