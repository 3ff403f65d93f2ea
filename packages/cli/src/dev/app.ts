import type { Audit } from '@countersign/core'
import { memorySecrets, requireHmac, sign } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import type express from 'express'
import { type DevIssuer, mountIssuer } from './issuer.js'

/** What `countersign dev` is made of. */
export interface DevSetup {
  readonly makeApp: typeof express
  readonly baseUrl: string
  /** The address of the user's own app. */
  readonly ownUrl: string | undefined
  readonly secret: string
  readonly audit: Audit
}

/** An app with all four gates and an issuer, and what its callers present. */
export interface DevApp {
  readonly app: ReturnType<typeof express>
  readonly issuer: DevIssuer
  /** The header fields of a signed GET of an address. */
  signed(url: string): Readonly<Record<string, string>>
  /** The header of a new agent's credential. */
  agent(): Promise<string>
  /** A new settings link. */
  link(): Promise<string>
  close(): Promise<void>
}

/** The caller that signs, and its secret's version. */
export const CALLER = 'dev'

/** Makes the app. */
export async function createDevApp({ makeApp, baseUrl, ownUrl, secret, audit }: DevSetup): Promise<DevApp> {
  const resource = `${baseUrl}/oauth`
  const app = makeApp()
  const issuer = await mountIssuer(app, baseUrl, [resource, ...(ownUrl === undefined ? [] : [ownUrl])])
  const audience = new URL(baseUrl).host
  const credentials = createMcpCredentials({ audit })
  const settings = createSettingsSessions({ baseUrl: `${baseUrl}/settings`, audit })
  const hmac = requireHmac({ secrets: memorySecrets([{ caller: CALLER, version: 1, secret }]), audience, audit })
  const oauth = requireOAuthBearer({ resource, issuer: baseUrl, audit })
  const agents = requireMcpCredential({ credentials, audit })
  const people = requireSettingsSession({ settings, audit })

  const answer: express.RequestHandler = ({ principal }, response) => {
    response.json({ granted: principal?.kind, id: principal?.id })
  }
  app.use(oauth.metadata())
  app.all('/signed', hmac, answer)
  app.all('/oauth', oauth, answer)
  app.all('/agent', agents, answer)
  app.use('/settings', settings.routes())
  app.all('/settings', people, answer)

  let agentCount = 0
  let persons = 0
  return {
    app,
    issuer,
    signed(url) {
      const request = { method: 'GET', url, headers: {}, body: Buffer.alloc(0) }
      return sign(request, { caller: CALLER, version: 1, secret, audience: new URL(url).host })
    },
    async agent() {
      // Each has a thread of its own: how many credentials one thread may have is bounded.
      agentCount += 1
      const issued = await credentials.issue({ threadId: `dev-${agentCount}`, providerInstanceId: 'dev' })
      return issued.authorizationHeader
    },
    async link() {
      persons += 1
      const link = await settings.issueLink({ platform: 'dev', userId: `person-${persons}` })
      let text = ''
      await settings.deliver(link, (url) => {
        text = url.reveal('deliver-to-user')
      })
      return text
    },
    close: () => credentials.close(),
  }
}
