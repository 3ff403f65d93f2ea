import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { adfs } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: adfs({
    host: 'adfs.example.com',
    audience: 'https://mcp.example.com/mcp',
  }),
})

export const metadata = oauth.metadata({ authorizationServers: ['https://adfs.example.com/adfs'] })
