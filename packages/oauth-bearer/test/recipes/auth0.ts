import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

// The issuer ends with a slash. `audience` is the API's identifier in Auth0's dashboard: make it the resource's URL.
export const auth0: IssuerOptions = {
  issuer: 'https://example.eu.auth0.com/',
  // Leave this out if the API's token profile is RFC 9068.
  profile: 'relaxed',
  // With role-based access control, permissions are in a claim of their own.
  scopeClaims: ['scope', 'permissions'],
}

export const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: auth0 })
