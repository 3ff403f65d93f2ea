import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'

const RESOURCE = 'https://mcp.example.com/mcp'
const PROJECTS = ['22000001']

export const issuer: IssuerOptions = {
  issuer: 'https://gitlab.com',
  profile: 'relaxed',
  algorithms: ['RS256'],
  // Every project of the instance can ask for a token with any audience: list projects, by ids, and what may run there.
  checkAudience: ({ aud, project_id: project, ref_protected: isProtected }) =>
    aud === RESOURCE && PROJECTS.includes(String(project)) && isProtected === 'true',
  claims: { project: 'project_path', pipeline: 'pipeline_id' },
}

export const oauth = requireOAuthBearer({ resource: RESOURCE, issuer })
