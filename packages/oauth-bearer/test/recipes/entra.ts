import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { entra } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: entra({
    tenant: '11111111-2222-3333-4444-555555555555',
    audience: '66666666-7777-8888-9999-000000000000',
  }),
})
