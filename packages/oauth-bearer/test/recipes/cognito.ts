import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'

// Cognito's access tokens have an audience only if the client sent a `resource`. Without one, only the client says what a
// token is for: list the app clients of this resource.
export const cognito: IssuerOptions = {
  issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example',
  profile: 'relaxed',
  algorithms: ['RS256'],
  checkAudience: ({ aud, token_use: use }) => use === 'access' && (aud === undefined || aud === RESOURCE),
  clientIds: ['4example0client0id'],
  claims: { username: 'username', groups: 'cognito:groups' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer: cognito })
