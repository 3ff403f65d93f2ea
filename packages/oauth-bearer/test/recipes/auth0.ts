import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { auth0 } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: auth0({
    domain: 'example.eu.auth0.com',
    audience: 'https://mcp.example.com/mcp',
  }),
})
