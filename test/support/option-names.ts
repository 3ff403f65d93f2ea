import { createAudit, memoryReplay } from '@countersign/core'
import {
  hmacOptionsFromEnv,
  memorySecrets,
  requireHmac,
  rfc9421,
  secretsFromEnv,
  sign,
  xHeaders,
} from '@countersign/hmac'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import {
  createSettingsSessions,
  guardMcpServer,
  leakGuard,
  memorySessions,
  requireSettingsSession,
  settingsOAuthFromEnv,
} from '@countersign/settings-session'
import { expect } from '@jest/globals'

const RESOURCE = 'https://api.example.com'
const secrets = memorySecrets([
  { caller: 'scheduler', version: 1, secret: 'a-secret-of-the-tests-that-is-long-enough' },
])

/** The names that an error about an unknown option lists. */
function namesFrom(create: (options: never) => unknown, base: object = {}): readonly string[] {
  try {
    create({ ...base, QQQQQQQQQQQQ: 1 } as never)
  } catch (error) {
    const { message } = error as Error
    return /The options are: ([^.]*)\./.exec(message)?.[1]?.split(', ') ?? []
  }
  return []
}

/** Every option of every gate, and of what is made for it. */
export function optionNames(): readonly string[] {
  const registry = createSettingsSessions({ baseUrl: 'https://app.example.com/settings' })
  const resource = { resource: RESOURCE, issuer: 'https://auth.example.com' }
  const oauth = requireOAuthBearer(resource)
  const nested = (name: string) => (options: never) => requireOAuthBearer({ ...resource, [name]: options } as never)
  const atIssuer = (name: string) => (options: never) =>
    requireOAuthBearer({ ...resource, issuer: { issuer: resource.issuer, [name]: options } } as never)
  const inSettings = (name: string) => (options: never) =>
    createSettingsSessions({
      baseUrl: 'https://app.example.com/settings',
      ...(name === 'oauth' ? { firstClaim: 'deny' } : {}),
      [name]: options,
    } as never)
  const lists = [
    namesFrom(requireHmac),
    namesFrom(rfc9421),
    namesFrom(xHeaders),
    namesFrom((legacy) => requireHmac({ secrets, audience: 'a', legacy } as never)),
    namesFrom((options) => hmacOptionsFromEnv({}, options)),
    namesFrom((options) => secretsFromEnv({}, options)),
    namesFrom((options) => memorySecrets([], options)),
    namesFrom((secret) => memorySecrets([secret])),
    namesFrom((options) => sign({ method: 'GET', url: '/' }, options)),
    namesFrom(memoryReplay as never),
    namesFrom(createAudit as never),
    namesFrom((options) => createAudit().subscribe(() => undefined, options)),
    namesFrom(requireOAuthBearer),
    namesFrom(nested('issuer')),
    namesFrom(nested('cache')),
    namesFrom(nested('legacy')),
    namesFrom(atIssuer('introspection')),
    namesFrom((options) => oauth.stepUp(options)),
    namesFrom((options) => oauth.metadata(options)),
    namesFrom(requireMcpCredential),
    namesFrom(createMcpCredentials as never),
    namesFrom(memoryCredentials as never),
    ['threadId', 'providerInstanceId', 'providerSessionId', 'capabilities', 'onExisting', 'overlapSeconds'],
    namesFrom(requireSettingsSession, { settings: registry }),
    namesFrom(createSettingsSessions as never),
    namesFrom(inSettings('oauth')),
    namesFrom(inSettings('telegram')),
    namesFrom(inSettings('pages')),
    namesFrom((theme) => inSettings('pages')({ theme } as never)),
    namesFrom((options) => settingsOAuthFromEnv({}, options)),
    namesFrom(memorySessions as never),
    namesFrom(leakGuard as never),
    namesFrom((options) => guardMcpServer({ connect: async () => undefined }, options)),
  ]
  expect(lists.flatMap((names, index) => (names.length === 0 ? [index] : []))).toEqual([])
  return [...new Set(lists.flat())].sort()
}
