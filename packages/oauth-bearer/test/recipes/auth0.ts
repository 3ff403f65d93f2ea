import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

// The issuer ends in a slash. `audience` is the identifier of the API in Auth0's dashboard; make it the resource's URL.
export const auth0: IssuerOptions = {
  issuer: 'https://example.eu.auth0.com/',
  // Unless the API's token profile is set to RFC 9068: then leave this out.
  profile: 'relaxed',
  // With role-based access control, permissions come in a claim of their own.
  scopeClaims: ['scope', 'permissions'],
}

export const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: auth0 })
