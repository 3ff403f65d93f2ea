import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const TENANT = '11111111-2222-3333-4444-555555555555'
const APPLICATION = '66666666-7777-8888-9999-000000000000'

// Tokens of version 2: set `requestedAccessTokenVersion` to 2 in the application's manifest. Their audience is the
// application's id, and their scopes are in `scp`. Never accept the issuer `common`: each tenant has its own. An ID token
// for the same application has the same audience, but only an access token names the client, in `azp`.
export const entra: IssuerOptions = {
  issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
  checkAudience: ({ aud, azp }) => azp !== undefined && (aud === APPLICATION || aud === `api://${APPLICATION}`),
  profile: 'relaxed',
  algorithms: ['RS256'],
  claims: { objectId: 'oid', tenantId: 'tid' },
}

export const oauth = requireOAuthBearer({ resource: 'https://mcp.example.com/mcp', issuer: entra })
