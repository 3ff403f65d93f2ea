import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { type Harness, oauthApp } from './harness.js'
import { addIntrospection, type Introspector } from './introspector.js'

export const RESOURCE = 'https://mcp.example.com/mcp'
export const SECRET = 'the secret: of the resource & more'

/** An app whose issuer is asked about tokens, and what the tests of that need. */
export interface IntrospectedApp {
  readonly app: Harness
  readonly endpoint: Introspector
  /** What the endpoint says of a good token. */
  active(rest?: object): Record<string, unknown>
  /** Status and reason of a request with this token. */
  outcome(token: string): Promise<string>
}

/** With `ownPath` the issuer takes opaque tokens alone, and its endpoint is configured there, not discovered. */
export async function introspectedApp(
  introspection: Partial<IntrospectionOptions> = {},
  ownPath?: string,
): Promise<IntrospectedApp> {
  let endpoint: Introspector | undefined
  const app = await oauthApp((issuer) => {
    endpoint = addIntrospection(issuer, ownPath)
    const own = ownPath === undefined ? {} : { endpoint: `${issuer.url}${ownPath}` }
    const client = { clientId: 'mcp server:1', clientSecret: SECRET }
    return {
      issuer: {
        issuer: issuer.url,
        ...(ownPath === undefined ? {} : { kind: 'opaque' as const }),
        introspection: { ...client, ...own, ...introspection },
      },
    }
  })
  return {
    app,
    endpoint: endpoint as Introspector,
    active: (rest = {}) => ({
      active: true,
      iss: app.issuer.url,
      aud: RESOURCE,
      sub: 'u1',
      client_id: 'c1',
      scope: 'files:read files:write',
      exp: Math.floor(app.clock.now() / 1000) + 300,
      token_type: 'Bearer',
      ...rest,
    }),
    outcome: async (token) => `${(await app.get(token)).status} ${app.last()}`,
  }
}
