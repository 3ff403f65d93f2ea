import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { entraExternalId } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: entraExternalId({
    host: 'example.b2clogin.com',
    tenant: '11111111-2222-3333-4444-555555555555',
    policy: 'B2C_1_signupsignin1',
    audience: '66666666-7777-8888-9999-000000000000',
  }),
})

export const metadata = oauth.metadata({
  authorizationServers: ['https://example.b2clogin.com/11111111-2222-3333-4444-555555555555/B2C_1_signupsignin1/v2.0'],
})
