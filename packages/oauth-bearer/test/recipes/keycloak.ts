import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

// The realm's URL. Add a client scope with an audience mapper that puts the resource's URL into `aud`: without one,
// Keycloak's access tokens name only `account`.
export const keycloak: IssuerOptions = {
  issuer: 'https://sso.example.com/realms/example',
  profile: 'relaxed',
  claims: { username: 'preferred_username', roles: 'realm_access' },
}

export const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: keycloak })
