import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'
const CALLERS = ['reports@example-project.iam.gserviceaccount.com']

export const issuer: IssuerOptions = {
  issuer: 'https://accounts.google.com',
  profile: 'relaxed',
  algorithms: ['RS256'],
  // Any Google account can ask for a token with any audience: list who may call.
  checkAudience: ({ aud, email, email_verified: isVerified }) =>
    aud === RESOURCE && isVerified === true && CALLERS.includes(String(email)),
  claims: { email: 'email' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
