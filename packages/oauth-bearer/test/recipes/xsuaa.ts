import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { xsuaa } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: xsuaa({
    url: 'https://example.authentication.eu10.hana.ondemand.com',
    audience: ['files!t123', 'sb-files!t123'],
  }),
})

export const metadata = oauth.metadata({
  authorizationServers: ['https://example.authentication.eu10.hana.ondemand.com'],
})
