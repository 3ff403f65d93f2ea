import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'

// Cognito's access tokens name an audience only when the client sent a `resource`. Without one, the client is what tells
// whose token it is: list the app clients that this resource is for.
export const cognito: IssuerOptions = {
  issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example',
  profile: 'relaxed',
  algorithms: ['RS256'],
  checkAudience: ({ aud, token_use: use }) => use === 'access' && (aud === undefined || aud === RESOURCE),
  clientIds: ['4example0client0id'],
  claims: { username: 'username', groups: 'cognito:groups' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer: cognito })
