import { requireHmac, secretsFromEnv } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import type { INestApplication } from '@nestjs/common'

const url = 'http://localhost:3000'
const issuer = process.env.ISSUER ?? 'http://localhost:4000'

// COUNTERSIGN_HMAC_SECRET_SCHEDULER and COUNTERSIGN_HMAC_SECRET_REPORTS
const secrets = secretsFromEnv(process.env, { callers: ['scheduler', 'reports'] })
export const hmac = requireHmac({ secrets, audience: 'app.example.com', body: 'rawBody' })

export const oauth = requireOAuthBearer({ resource: `${url}/reports`, issuer })

export const credentials = createMcpCredentials()
export const mcp = requireMcpCredential({ credentials })

export const settings = createSettingsSessions({ baseUrl: `${url}/settings` })
export const session = requireSettingsSession({ settings })

/** What the gates serve themselves, ahead of Nest's routes: the resource's metadata (RFC 9728), and the pages of a link. */
export function serveOwnRoutes(app: INestApplication) {
  app.use(oauth.metadata())
  app.use('/settings', settings.routes())
}
