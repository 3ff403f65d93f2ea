import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { hydra } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: hydra({
    issuer: 'https://hydra.example.com/',
    audience: 'https://mcp.example.com/mcp',
    // Leave this out if Hydra's access tokens are JWTs.
    introspection: {
      endpoint: 'https://hydra-admin.example.com/admin/oauth2/introspect',
      clientId: 'mcp-server',
      clientSecret: process.env.INTROSPECTION_SECRET,
    },
  }),
})
