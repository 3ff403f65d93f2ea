import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'
const PROJECT = '200000000000000001'
const ROLES = `urn:zitadel:iam:org:project:${PROJECT}:roles`

export const issuer: IssuerOptions = {
  issuer: 'https://example.zitadel.cloud',
  profile: 'relaxed',
  // Any client of the instance gets a token for any project that it asks for: only a role in the project says who may call.
  checkAudience: ({ aud, [ROLES]: roles }) => [aud].flat().includes(PROJECT) && Object.keys(Object(roles)).length > 0,
  // An ID token has the same audiences. It has no `jti`, and says how the user was authenticated.
  isAccessToken: ({ jti, amr, at_hash: hash }) => typeof jti === 'string' && amr === undefined && hash === undefined,
  claims: { roles: ROLES },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
