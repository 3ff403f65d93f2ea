import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { entra } from '@countersign/oauth-bearer/presets'

const customers = new Set(['11111111-2222-3333-4444-555555555555'])

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuers: entra({
    tenant: (id) => customers.has(id),
    audience: '66666666-7777-8888-9999-000000000000',
  }),
  maxTokenBytes: 16_384,
})

export const metadata = oauth.metadata({
  authorizationServers: ['https://login.microsoftonline.com/organizations/v2.0'],
})
