import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { cognito } from '@countersign/oauth-bearer/presets'

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: cognito({
    userPoolId: 'eu-central-1_Example',
    clientIds: ['4example0client0id0000000a'],
  }),
})
