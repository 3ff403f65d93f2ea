import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { recordAudit } from '@countersign/testing'

export const AUDIENCE = 'billing.example.com'
export const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

export const { audit, reasons } = recordAudit()
export const credentials = createMcpCredentials({ audit })

const secrets = memorySecrets([
  { caller: 'scheduler', version: 1, secret: SECRET },
  { caller: 'reports', version: 1, secret: SECRET },
])
export const hmac = requireHmac({ secrets, audience: AUDIENCE, body: 'rawBody', audit })
export const mcp = requireMcpCredential({ credentials, audit })
