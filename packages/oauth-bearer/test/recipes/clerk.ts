import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'

export const issuer: IssuerOptions = {
  issuer: 'https://clerk.example.com',
  profile: 'relaxed',
  algorithms: ['RS256'],
  // Clerk's tokens have no audience. Only the client says what one is for: list the OAuth clients of this resource, and the
  // origins of the apps whose session tokens are accepted (`azp`).
  checkAudience: ({ aud }) => aud === undefined,
  clientIds: ['client_example', 'https://app.example.com'],
  isAccessToken: ({ sub, sid, scope }) =>
    String(sub).startsWith('user_') && (typeof sid === 'string' || typeof scope === 'string'),
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
