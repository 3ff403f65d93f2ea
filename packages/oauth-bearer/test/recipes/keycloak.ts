import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { keycloak } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: keycloak({
    issuer: 'https://sso.example.com/realms/example',
    audience: 'https://mcp.example.com/mcp',
  }),
})
