import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { okta } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: okta({
    domain: 'example.okta.com',
    authorizationServer: 'default',
    audience: 'api://default',
  }),
})
