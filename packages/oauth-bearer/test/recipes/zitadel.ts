import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'
const PROJECT = '200000000000000001'

export const issuer: IssuerOptions = {
  issuer: 'https://example.zitadel.cloud',
  profile: 'relaxed',
  audience: PROJECT,
  // An ID token has the same audiences. It has no `jti`, and says how the user was authenticated.
  isAccessToken: ({ jti, amr, at_hash: hash }) => typeof jti === 'string' && amr === undefined && hash === undefined,
  claims: { roles: 'urn:zitadel:iam:org:project:roles' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
