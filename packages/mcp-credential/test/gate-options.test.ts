import { createMcpCredentials, type RequireMcpCredentialOptions } from '@countersign/mcp-credential'
import { afterAll, expect, test } from '@jest/globals'
import { resolveGateOptions } from '../src/options.js'

const credentials = createMcpCredentials()
afterAll(() => credentials.close())

const resolve = (options: object = {}) => resolveGateOptions({ credentials, ...options } as RequireMcpCredentialOptions)

/** That the error names the option, and says what to do. */
const naming = (code: string, option: string, message: RegExp) =>
  expect.objectContaining({
    ...{ code: `ERR_COUNTERSIGN_OPTION_${code}`, option },
    message: expect.stringMatching(new RegExp(`^requireMcpCredential: .*(?:${message.source})`)),
  })

test('what is left out has its default', () => {
  expect(resolve()).toMatchObject({
    ...{ credentials, capabilitiesOf: undefined, anonymousCapabilities: [], maxBodyBytes: 4_194_304 },
    ...{ denyAs: 'http', deadAs: 'http', stripHeader: true, attachAuthInfo: true, bindSessions: true },
    ...{ recheckMs: 5000, maxStreams: 64 },
  })
})

test('what is given is taken', () => {
  const given = {
    ...{ maxBodyBytes: 2 ** 31 - 1, denyAs: 'jsonrpc', deadAs: 'jsonrpc' },
    ...{ stripHeader: false, attachAuthInfo: false, bindSessions: false, maxStreams: 1 },
  }
  expect(resolve({ ...given, recheckSeconds: 0.25 })).toMatchObject({ ...given, recheckMs: 250 })
  expect(resolve({ denyAs: 'http', deadAs: 'http', maxBodyBytes: 0 })).toMatchObject({ maxBodyBytes: 0 })
  const { capabilitiesOf, anonymousCapabilities } = resolve({ tools: { 'a_*': 'a' }, anonymousCapabilities: ['a'] })
  expect([capabilitiesOf?.('a_b'), capabilitiesOf?.('b'), anonymousCapabilities]).toEqual([['a'], undefined, ['a']])
})

test.each<[string, object, object]>([
  ['credentials that are none', { credentials: {} }, naming('INVALID', 'credentials', /createMcpCredentials\(\)/)],
  ['tools that are a list', { tools: ['a'] }, naming('INVALID', 'tools', /from tool-name pattern to a capability/)],
  ['a longer body than one buffer holds', { maxBodyBytes: 2 ** 31 }, naming('INVALID', 'maxBodyBytes', /2147483647/)],
  ['another form of a refusal', { denyAs: 'html' }, naming('INVALID', 'denyAs', /http.*jsonrpc/)],
  ['another form of an end', { deadAs: 'html' }, naming('INVALID', 'deadAs', /http.*jsonrpc/)],
  [
    'capabilities of strangers where every tool may be called',
    { anonymousCapabilities: ['a'] },
    naming('INVALID', 'anonymousCapabilities', /needs "tools"/),
  ],
])('refused at creation: %s', (_what, options, error) => {
  expect(() => resolve(options)).toThrow(error as Error)
})

test.each([
  ['capabilities', /tools/],
  ['registry', /credentials/],
  ['requiredScopes', /tools/],
  ['scopes', /tools/],
  ['store', /createMcpCredentials\(\{ store \}\)/],
  ['prefix', /createMcpCredentials\(\{ prefix \}\)/],
  ['isAlive', /createMcpCredentials\(\{ isAlive \}\)/],
  ['recheckMs', /recheckSeconds/],
])('an option "%s" is refused with the name of the one that was meant', (name, meant) => {
  expect(() => resolve({ [name]: 1 })).toThrow(naming('UNKNOWN', name, meant) as unknown as Error)
})
