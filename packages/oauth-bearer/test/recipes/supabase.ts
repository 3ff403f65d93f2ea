import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'

export const issuer: IssuerOptions = {
  issuer: 'https://exampleproject.supabase.co/auth/v1',
  jwksUri: 'https://exampleproject.supabase.co/auth/v1/.well-known/jwks.json',
  profile: 'relaxed',
  // All tokens of a project's users have this audience, so this API must be the project's own.
  audience: 'authenticated',
  isAccessToken: ({ role, session_id: session, is_anonymous: isAnonymous }) =>
    role === 'authenticated' && typeof session === 'string' && isAnonymous !== true,
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
