import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'
const REPOSITORIES = ['700000001']

export const issuer: IssuerOptions = {
  issuer: 'https://token.actions.githubusercontent.com',
  profile: 'relaxed',
  algorithms: ['RS256'],
  // Every repository on GitHub can ask for a token with any audience: list repositories, by ids, and what may run there.
  checkAudience: ({ aud, repository_id: repository, ref }) =>
    aud === RESOURCE && REPOSITORIES.includes(String(repository)) && ref === 'refs/heads/main',
  claims: { repository: 'repository', workflow: 'workflow_ref' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
