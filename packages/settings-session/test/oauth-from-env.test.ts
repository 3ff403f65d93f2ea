import { createSettingsSessions, settingsOAuthFromEnv } from '@countersign/settings-session'
import { describe, expect, test } from '@jest/globals'

describe('settingsOAuthFromEnv', () => {
  const whole = {
    SETTINGS_OAUTH_ISSUER: 'https://id.example.com',
    SETTINGS_OAUTH_CLIENT_ID: 'c',
    SETTINGS_OAUTH_CLIENT_SECRET: 's',
  }

  test('is undefined without any of the variables, and complete with all that are needed', () => {
    expect(settingsOAuthFromEnv({ PATH: '/bin' })).toBeUndefined()
    expect(settingsOAuthFromEnv({ ...whole, SETTINGS_OAUTH_SCOPES: 'openid email' })).toEqual({
      issuer: 'https://id.example.com',
      clientId: 'c',
      clientSecret: 's',
      scopes: ['openid', 'email'],
    })
  })

  test('in production is so, too, for variables that do not say where they are from', () => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    try {
      expect(() => settingsOAuthFromEnv({})).toThrow(
        expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_MISSING' }),
      )
      expect(settingsOAuthFromEnv({ NODE_ENV: 'development' })).toBeUndefined()
    } finally {
      process.env.NODE_ENV = before
    }
  })

  test('fails the start in production without any of the variables, unless that is said to be meant', () => {
    const missing = { code: 'ERR_COUNTERSIGN_OPTION_MISSING', option: 'SETTINGS_OAUTH_ISSUER' }
    for (const env of [{ NODE_ENV: 'production' }, { AWS_LAMBDA_FUNCTION_NAME: 'settings' }]) {
      expect(() => settingsOAuthFromEnv(env)).toThrow(expect.objectContaining(missing))
      expect(() => settingsOAuthFromEnv(env, {})).toThrow('required: false')
      expect(settingsOAuthFromEnv(env, { required: false })).toBeUndefined()
      expect(settingsOAuthFromEnv({ ...whole, ...env })).toMatchObject({ clientId: 'c' })
    }
    expect(() => settingsOAuthFromEnv({}, { required: true })).toThrow(expect.objectContaining(missing))
    expect(settingsOAuthFromEnv({ NODE_ENV: 'development', AWS_LAMBDA_FUNCTION_NAME: 'settings' })).toBeUndefined()
    const names = { issuer: 'APP_ISSUER' }
    expect(() => settingsOAuthFromEnv({}, { required: true, names })).toThrow(
      expect.objectContaining({ ...missing, option: 'APP_ISSUER' }),
    )
  })

  test.each([
    ['firstClaim', { firstClaim: 'trust-link' }],
    ['firstClaim', { firstClaim: 'deny', confirmCode: true }],
    ['onFirstClaim', { onFirstClaim: () => true }],
    ['onMismatch', { onMismatch: () => undefined, telegram: { botId: 1 } }],
  ] as const)('of which nothing came, fails the start of what asks for identities: %s', (name, options) => {
    const create = () =>
      createSettingsSessions({
        baseUrl: 'https://a.example.com/s',
        oauth: settingsOAuthFromEnv({ NODE_ENV: 'production' }, { required: false }),
        ...options,
      })
    expect(create).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_OPTION_MISSING',
        option: 'oauth',
        message: expect.stringContaining(`required with "${name}"`),
      }),
    )
  })

  test.each([
    ['SETTINGS_OAUTH_CLIENT_ID', { ...whole, SETTINGS_OAUTH_CLIENT_ID: undefined }],
    ['SETTINGS_OAUTH_CLIENT_SECRET', { ...whole, SETTINGS_OAUTH_CLIENT_SECRET: undefined }],
    ['SETTINGS_OAUTH_ISSUER', { ...whole, SETTINGS_OAUTH_ISSUER: undefined }],
    ['SETTINGS_OAUTH_TOKEN_URL', { ...whole, SETTINGS_OAUTH_ISSUER: undefined, SETTINGS_OAUTH_AUTH_URL: 'https://a/' }],
    ['SETTINGS_OAUTH_SCOPES', { SETTINGS_OAUTH_SCOPES: '' }],
    ['SETTINGS_OAUTH_CLIENT_ID', { SETTINGS_OAUTH_PROVIDER_NAME: 'x' }],
  ])('fails the start over %s', (name, env) => {
    expect(() => settingsOAuthFromEnv(env)).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: name }),
    )
  })

  test('fails the start over a variable that nothing reads, and says which one was meant', () => {
    for (const name of ['SETTINGS_OAUTH_SCOPE', 'SETTINGS_OAUTH_SCOPE_FILE']) {
      expect(() => settingsOAuthFromEnv({ ...whole, [name]: 'openid' })).toThrow(
        expect.objectContaining({
          code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN',
          option: 'SETTINGS_OAUTH_SCOPE',
          message: expect.stringContaining('Did you mean SETTINGS_OAUTH_SCOPES?'),
        }),
      )
    }
  })

  test('takes other names', () => {
    const names = { issuer: 'APP_ISSUER', clientId: 'APP_ID', clientSecret: 'APP_SECRET' }
    expect(
      settingsOAuthFromEnv({ APP_ISSUER: 'https://a.example.com', APP_ID: 'c', APP_SECRET: 's' }, { names }),
    ).toEqual({
      issuer: 'https://a.example.com',
      clientId: 'c',
      clientSecret: 's',
    })
  })

  test('returns what is validated at creation', () => {
    const make = (oauth: object) => () =>
      createSettingsSessions({ baseUrl: 'https://a.example.com/s', firstClaim: 'deny', oauth: oauth as never })
    const one = { clientId: 'c', clientSecret: 's' }
    expect(make({ ...one, issuer: 'http://id.example.com' })).toThrow('oauth.issuer')
    expect(make({ ...one })).toThrow('oauth.issuer')
    expect(make({ ...one, issuer: 'https://id.example.com', authUrl: 'https://id.example.com' })).toThrow(
      'oauth.issuer',
    )
    expect(make({ ...one, issuer: 'https://id.example.com', scopes: ['email'] })).toThrow('oauth.scopes')
    expect(make({ issuer: 'https://id.example.com', clientId: 'c' })).toThrow('oauth.clientSecret')
    expect(make({ ...one, issuer: 'https://id.example.com', issur: 'x' })).toThrow('Did you mean "issuer"')
  })
})
