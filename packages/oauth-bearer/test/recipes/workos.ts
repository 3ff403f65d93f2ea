import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { workos } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: workos({
    domain: 'example.authkit.app',
    audience: 'https://mcp.example.com/mcp',
  }),
})
