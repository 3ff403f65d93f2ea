import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { explainToken } from '@countersign/oauth-bearer/explain'
import * as presets from '@countersign/oauth-bearer/presets'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import {
  makeProviderKeys,
  type Provider,
  type ProviderKeys,
  type ProviderSetting,
  providers,
  tokensOf,
} from '../../../test/support/provider-tokens.js'

const RESOURCE = 'https://mcp.example.com/mcp'

let keys: ProviderKeys
let server: RunningServer
const { audit, events } = recordedAudit()
/** A gate for each setting, at a path of its own. */
const app = express()
beforeAll(async () => {
  keys = makeProviderKeys()
  server = await serve(app)
  for (const provider of providers) {
    for (const setting of provider.settings) {
      const gate = requireOAuthBearer({ resource: RESOURCE, issuer: await issuerOf(provider, setting), audit })
      app.get(pathOf(provider, setting), gate, (request, response) => void response.json(request.principal))
    }
  }
})
afterAll(() => server.close())

function pathOf({ name }: Provider, { title }: ProviderSetting): string {
  return `/${name}/${Buffer.from(title).toString('hex')}`
}

/** The preset or the recipe as it stands, with keys that are made here. */
async function issuerOf({ preset, recipe }: Provider, { options }: ProviderSetting): Promise<IssuerOptions> {
  const made =
    preset === undefined
      ? ((await import(`./recipes/${recipe}.js`)) as { issuer: IssuerOptions }).issuer
      : (presets as unknown as Record<string, (options: unknown) => IssuerOptions>)[preset]?.(options)
  return { ...made, jwks: keys.jwks, jwksUri: undefined } as IssuerOptions
}

describe('tokens as the providers make them', () => {
  test.each([...tokensOf('preset'), ...tokensOf('recipe')])(
    '[oauth-providers] $title: $token.expect',
    async ({ provider, setting, token }) => {
      const presented = keys.sign(token, Date.now())
      const response = await fetch(`${server.url}${pathOf(provider, setting)}`, {
        headers: { authorization: `Bearer ${presented}` },
      })
      const answer = (await response.json()) as object
      const isGranted = token.expect === 'granted'
      expect([response.status, events.at(-1)?.reason]).toEqual(isGranted ? [200, undefined] : [401, token.expect])
      if (token.principal !== undefined) expect(answer).toMatchObject(token.principal)

      const { verdict } = await explainToken(presented, {
        resource: RESOURCE,
        issuer: await issuerOf(provider, setting),
      })
      expect(verdict.outcome === 'denied' ? verdict.reason : verdict.outcome).toBe(token.expect)
    },
  )

  test('[oauth-providers] each preset has an access token, a client that acts for itself, an ID token and a refresh token or a reason', () => {
    const kinds = { access: /access token/, client: /client credentials|service account|machine/, id: /ID token/ }
    const presetTokens = tokensOf('preset')
    expect([...new Set(presetTokens.map(({ provider }) => provider.preset))].sort()).toEqual(
      Object.keys(presets).sort(),
    )
    for (const name of Object.keys(presets)) {
      const own = presetTokens.filter(({ provider }) => provider.preset === name)
      for (const [kind, pattern] of Object.entries(kinds)) {
        expect([name, kind, own.some(({ token }) => pattern.test(token.title))]).toEqual([name, kind, true])
      }
      expect(own.filter(({ token }) => /ID token/.test(token.title) && token.expect === 'granted')).toEqual([])
      expect(own.filter(({ token }) => /refresh token/.test(token.title) && token.expect === 'granted')).toEqual([])
    }
  })
})
