import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'

export const issuer: IssuerOptions = {
  issuer: 'https://identity.example.com',
  // Tokens of clients that act for themselves have no `sub`.
  profile: 'relaxed',
  audience: RESOURCE,
  isAccessToken: ({ client_id: clientId }) => typeof clientId === 'string',
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
