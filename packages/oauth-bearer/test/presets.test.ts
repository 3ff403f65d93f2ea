import { type IssuerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import * as presets from '@countersign/oauth-bearer/presets'
import { entra, entraExternalId, hydra } from '@countersign/oauth-bearer/presets'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'
import { addIntrospection } from './introspector.js'

const RESOURCE = 'https://mcp.example.com/mcp'
const TENANT = '11111111-2222-3333-4444-555555555555'
const OTHER = '99999999-8888-7777-6666-555555555555'
const APPLICATION = '66666666-7777-8888-9999-000000000000'

/** What each preset needs beside whom tokens are for. */
const NEEDED: Record<string, object> = {
  adfs: { host: 'adfs.example.com' },
  auth0: { domain: 'example.eu.auth0.com' },
  cognito: { userPoolId: 'eu-central-1_Example' },
  entra: { tenant: TENANT },
  entraExternalId: { host: 'example.ciamlogin.com', tenant: TENANT },
  hydra: { issuer: 'https://hydra.example.com/' },
  keycloak: { issuer: 'https://sso.example.com/realms/example' },
  okta: { domain: 'example.okta.com' },
  workos: { domain: 'example.authkit.app' },
  xsuaa: { url: 'https://example.authentication.eu10.hana.ondemand.com' },
}
const presetNamed = (name: string) =>
  (presets as unknown as Record<string, (options: object) => IssuerOptions>)[name] as (options: object) => IssuerOptions

function thrownBy(call: () => unknown): string {
  try {
    call()
    return 'nothing'
  } catch (error) {
    const { code, option } = error as { code: string; option: string }
    return `${code} ${option}`
  }
}

let app: Harness | undefined
afterEach(async () => {
  await app?.stop()
  app = undefined
})

describe('presets', () => {
  test.each(Object.keys(presets))(
    '[oauth-presets] %s throws without an audience and clients, and makes options that a gate accepts with either',
    (name) => {
      const preset = presetNamed(name)
      expect(thrownBy(() => preset(NEEDED[name] as object))).toBe('ERR_COUNTERSIGN_OPTION_MISSING audience')
      expect(() => preset(NEEDED[name] as object)).toThrow(/set "audience" .* or "clientIds"/)
      for (const whom of [{ audience: RESOURCE }, { clientIds: ['c1'] }, { audience: [RESOURCE], clientIds: ['c1'] }]) {
        const issuer = preset({ ...NEEDED[name], ...whom })
        expect(() => requireOAuthBearer({ resource: RESOURCE, issuer })).not.toThrow()
      }
    },
  )

  test.each(Object.keys(presets))('[oauth-presets] %s names a wrong option, and one that is missing', (name) => {
    const preset = presetNamed(name)
    const whom = { audience: RESOURCE }
    const [needed = ''] = Object.keys(NEEDED[name] as object)
    expect(thrownBy(() => preset(whom))).toBe(`ERR_COUNTERSIGN_OPTION_MISSING ${needed}`)
    expect(thrownBy(() => preset({ ...NEEDED[name], ...whom, audiance: RESOURCE }))).toBe(
      'ERR_COUNTERSIGN_OPTION_UNKNOWN audiance',
    )
    expect(thrownBy(() => preset({ ...NEEDED[name], ...whom, [needed]: 7 }))).toBe(
      `ERR_COUNTERSIGN_OPTION_INVALID ${needed}`,
    )
    expect(thrownBy(() => preset({ ...NEEDED[name], audience: [] }))).toBe('ERR_COUNTERSIGN_OPTION_INVALID audience')
  })

  test.each([
    ['auth0', { domain: 'https://example.eu.auth0.com/' }],
    ['auth0', { domain: 'example.eu.auth0.com/' }],
    ['okta', { domain: 'example' }],
    ['okta', { authorizationServer: 'a/b' }],
    ['cognito', { userPoolId: 'Example' }],
    ['entra', { tenant: 'common' }],
    ['entra', { tenant: 'example.onmicrosoft.com' }],
    ['entra', { tenant: [] }],
    ['entra', { tenant: [TENANT, 'organizations'] }],
    ['entra', { version: 3 }],
    ['entraExternalId', { policy: '../x' }],
    ['keycloak', { issuer: 'sso.example.com' }],
    ['hydra', { introspection: 'https://hydra.example.com/introspect' }],
  ])('[oauth-presets] %s refuses %j', (name, wrong) => {
    expect(thrownBy(() => presetNamed(name)({ ...NEEDED[name], audience: RESOURCE, ...wrong }))).toBe(
      `ERR_COUNTERSIGN_OPTION_INVALID ${Object.keys(wrong)[0]}`,
    )
  })

  test.each(Object.keys(presets))('[oauth-presets] what %s makes can be changed by what is set after it', (name) => {
    const issuer = { ...presetNamed(name)({ ...NEEDED[name], audience: RESOURCE }), scopeClaims: ['roles'] }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer })).not.toThrow()
  })
})

test.each(['auth0', 'workos'])('[oauth-presets] %s knows an ID token for several audiences', (name) => {
  const { isAccessToken } = presetNamed(name)({ ...NEEDED[name], audience: RESOURCE })
  const claims = { azp: 'c', client_id: 'c', aud: ['c', RESOURCE], jti: 'j' }
  expect(isAccessToken?.(claims)).toBe(true)
  expect(isAccessToken?.({ ...claims, nonce: 'n' })).toBe(false)
  expect(isAccessToken?.({ ...claims, at_hash: 'h' })).toBe(false)
})

describe('where keys are', () => {
  test.each([
    [
      entra({ tenant: TENANT.toUpperCase(), audience: APPLICATION }),
      `https://login.microsoftonline.com/${TENANT}/v2.0`,
      `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
    ],
    [
      entra({ tenant: TENANT, version: 1, audience: APPLICATION }),
      `https://sts.windows.net/${TENANT}/`,
      `https://login.microsoftonline.com/${TENANT}/discovery/keys`,
    ],
    [
      entra({ tenant: TENANT, audience: APPLICATION, authority: 'login.microsoftonline.us' }),
      `https://login.microsoftonline.us/${TENANT}/v2.0`,
      `https://login.microsoftonline.us/${TENANT}/discovery/v2.0/keys`,
    ],
    [
      entra({ tenant: TENANT, version: 1, audience: APPLICATION, authority: 'login.partner.microsoftonline.cn' }),
      `https://sts.chinacloudapi.cn/${TENANT}/`,
      `https://login.partner.microsoftonline.cn/${TENANT}/discovery/keys`,
    ],
    [
      entraExternalId({ host: 'example.ciamlogin.com', tenant: TENANT, audience: APPLICATION }),
      `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0`,
      `https://example.ciamlogin.com/${TENANT}/discovery/v2.0/keys`,
    ],
    [
      entraExternalId({
        host: 'login.example.com',
        tenant: TENANT,
        policy: ['B2C_1_a', 'B2C_1_b'],
        audience: APPLICATION,
      }),
      `https://login.example.com/${TENANT}/v2.0/`,
      `https://login.example.com/${TENANT}/B2C_1_a/discovery/v2.0/keys`,
    ],
    [
      presets.cognito({ userPoolId: 'cn-north-1_Example', audience: RESOURCE }),
      'https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Example',
      undefined,
    ],
  ])('[oauth-presets] %#: issuer and keys of a cloud of its own', ({ issuer, jwksUri }, name, keys) => {
    expect([issuer, jwksUri]).toEqual([name, keys])
  })
})

describe('several tenants of Entra', () => {
  const claims = (tenant: string, tid = tenant) => ({
    iss: `https://login.microsoftonline.com/${tenant}/v2.0`,
    tid,
    aud: APPLICATION,
    azp: 'c1',
    client_id: undefined,
    scp: 'Files.Read',
    ver: '2.0',
  })

  test('[oauth-presets] each tenant of a list is an issuer, and its tokens name it', async () => {
    app = await oauthApp(({ keys }) => ({
      issuer: entra({ tenant: [TENANT, OTHER], audience: APPLICATION }).map((issuer) => ({
        ...issuer,
        jwksUri: undefined,
        jwks: { keys },
      })),
    }))
    const reasonOf = async (own: object) => {
      await app?.get(await app.token({ header: { typ: 'JWT' }, claims: { ...own } }))
      return app?.last()
    }
    expect(await reasonOf(claims(TENANT))).toBe('granted')
    expect(await reasonOf(claims(OTHER))).toBe('granted')
    // Both tenants have one key here, and the signature is right.
    expect(await reasonOf(claims(TENANT, OTHER))).toBe('wrong_type')
    expect(await reasonOf(claims('00000000-0000-0000-0000-000000000000'))).toBe('wrong_issuer')
  })

  test('[oauth-presets] a function is asked for ids of tenants alone, and only true is a yes', async () => {
    const asked: string[] = []
    const find = entra({
      tenant: (id) => {
        asked.push(id)
        return id === TENANT
      },
      audience: APPLICATION,
    })
    expect(find(`https://login.microsoftonline.com/${TENANT}/v2.0`)).toMatchObject({
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      jwksUri: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
      audience: [APPLICATION, `api://${APPLICATION}`],
    })
    for (const stranger of [
      `https://login.microsoftonline.com/${OTHER}/v2.0`,
      `https://login.microsoftonline.com/${TENANT.toUpperCase().replace('1', 'A')}/v2.0`,
      `https://login.microsoftonline.com/${TENANT}/v2.0/`,
      `https://login.microsoftonline.com.evil.example/${TENANT}/v2.0`,
      'https://login.microsoftonline.com/common/v2.0',
      'https://login.microsoftonline.com//v2.0',
      'https://login.microsoftonline.com/v2.0',
      `https://login.microsoftonline.com/${TENANT}/../${OTHER}/v2.0`,
      `https://sts.windows.net/${TENANT}/`,
      '',
    ]) {
      expect([stranger, find(stranger)]).toEqual([stranger, undefined])
    }
    expect(asked).toEqual([TENANT, OTHER])
    const later = entra({ tenant: async (id) => (id === TENANT ? true : ('yes' as unknown as boolean)), clientIds: [] })
    expect(await later(`https://login.microsoftonline.com/${TENANT}/v2.0`)).toMatchObject({ profile: 'relaxed' })
    expect(await later(`https://login.microsoftonline.com/${OTHER}/v2.0`)).toBeUndefined()
  })

  test('[oauth-presets] tenants that are known at run time are found by the gate, and their tokens name them', async () => {
    const find = entra({ tenant: (id) => id === TENANT, audience: APPLICATION })
    app = await oauthApp(({ keys }) => ({
      issuer: undefined,
      issuers: (iss) => {
        const found = find(iss) as IssuerOptions | undefined
        return found && { ...found, jwksUri: undefined, jwks: { keys } }
      },
    }))
    const reasonOf = async (own: object) => {
      await app?.get(await app.token({ header: { typ: 'JWT' }, claims: { ...own } }))
      return app?.last()
    }
    expect(await reasonOf(claims(TENANT))).toBe('granted')
    expect(await reasonOf(claims(TENANT, OTHER))).toBe('wrong_type')
    expect(await reasonOf(claims(OTHER))).toBe('wrong_issuer')
    const name = `https://login.microsoftonline.com/${TENANT}/v2.0`
    expect(find(name)).toBe(find(name))
    const gate = { resource: RESOURCE, issuers: find, maxTokenBytes: 16_384 }
    expect(() => requireOAuthBearer(gate)).not.toThrow()
  })

  test('[oauth-presets] tokens up to 16 KiB are read for its sake alone, unless the gate says otherwise', async () => {
    const issuer = entra({ tenant: TENANT, audience: APPLICATION })
    const statusOf = async (options: object, bytes: number) => {
      const running = await oauthApp(options)
      const { status } = await running.get('a'.repeat(bytes))
      await running.stop()
      return status
    }
    expect(await statusOf({}, 8192)).toBe(401)
    expect(await statusOf({}, 8193)).toBe(400)
    expect(await statusOf({ issuer }, 14_000)).toBe(401)
    expect(await statusOf({ issuer, maxTokenBytes: 8192 }, 8193)).toBe(400)
  })
})

describe('Hydra', () => {
  test('[oauth-presets] can be asked about every token, as the guide says', () => {
    const introspection = { clientId: 'resource', clientSecret: 'the-secret-of-the-resource' }
    const preset = hydra({ issuer: 'https://hydra.example.com/', audience: RESOURCE, introspection })
    const issuer = { ...preset, kind: 'opaque' as const, isAccessToken: undefined }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer })).not.toThrow()
  })

  test('[oauth-presets] opaque tokens are introspected: what Hydra says of an access token is accepted', async () => {
    app = await oauthApp((issuer) => {
      const endpoint = addIntrospection(issuer)
      const said = {
        active: true,
        scope: 'openid files:read',
        client_id: '8cexample-client',
        sub: 'user-1',
        exp: 9_999_999_999,
        iat: 1_700_000_000,
        nbf: 1_700_000_000,
        aud: [RESOURCE],
        iss: issuer.url,
        token_type: 'Bearer',
        token_use: 'access_token',
        ext: {},
        username: null,
      }
      endpoint.tokens.set('ory_at_a.b', said)
      endpoint.tokens.set('ory_rt_a.b', { ...said, token_use: 'refresh_token' })
      endpoint.tokens.set('ory_at_other', { ...said, aud: ['https://other.example.com'] })
      const introspection = { clientId: 'resource', clientSecret: 'the-secret-of-the-resource' }
      return { issuer: hydra({ issuer: issuer.url, audience: RESOURCE, introspection }) }
    })
    const { status, json } = await app.get('ory_at_a.b')
    expect([status, json.principal]).toMatchObject([
      200,
      { subject: 'user-1', clientId: '8cexample-client', scopes: ['openid', 'files:read'], via: 'introspection' },
    ])
    expect([(await app.get('ory_rt_a.b')).status, app.last()]).toEqual([401, 'wrong_type'])
    expect([(await app.get('ory_at_other')).status, app.last()]).toEqual([401, 'wrong_audience'])
    expect([(await app.get('ory_at_unknown')).status, app.last()]).toEqual([401, 'inactive'])
  })
})
