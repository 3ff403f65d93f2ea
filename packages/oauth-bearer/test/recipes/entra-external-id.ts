import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { entraExternalId } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: entraExternalId({
    host: 'example.ciamlogin.com',
    tenant: '11111111-2222-3333-4444-555555555555',
    audience: '66666666-7777-8888-9999-000000000000',
  }),
})
