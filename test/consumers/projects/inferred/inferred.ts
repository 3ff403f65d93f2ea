// An app that exports what our functions return, without writing the types down. With `declaration: true` the compiler
// must be able to name each of these types from a public entry. Compiled, not run.
import { smokeTest } from '@countersign/cli'
import { createAudit, firstPresented, memoryReplay } from '@countersign/core'
import { countUsage, gateOptionRules, option, resolveOptions } from '@countersign/core/gate-kit'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import {
  createSignedFetch,
  createSigningInterceptor,
  hmacOptionsFromEnv,
  memorySecrets,
  requireHmac,
  rfc9421,
  secretsFromEnv,
  xHeaders,
} from '@countersign/hmac'
import { explainSignature } from '@countersign/hmac/explain'
import { type PostgresClient, postgresSecrets, postgresSecretsOptionsFromEnv } from '@countersign/hmac/postgres'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { explainToken } from '@countersign/oauth-bearer/explain'
import { redisKeyCache } from '@countersign/oauth-bearer/redis'
import { redisReplay } from '@countersign/redis'
import { createScriptRunner, defineScript } from '@countersign/redis/store'
import {
  createSettingsSessions,
  leakGuard,
  memorySessions,
  requireSettingsSession,
  settingsOAuthFromEnv,
} from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { fakeClock, hangingRedis, recordAudit, replayStoreContract, testIssuer } from '@countersign/testing'
import type { Redis } from 'ioredis'

declare const redis: Redis
declare const client: PostgresClient
const issuer = { resource: 'https://mcp.example.com/mcp', issuer: 'https://auth.example.com' }
const signing = { caller: 'scheduler', version: 1, secret: 'x', audience: 'billing.example.com' }

export const secrets = memorySecrets([])
export const secretsOfEnv = secretsFromEnv(process.env, { callers: ['scheduler'] })
export const hmacOptions = hmacOptionsFromEnv(process.env, { callers: ['scheduler'] })
export const postgresOptions = postgresSecretsOptionsFromEnv(process.env)
export const postgres = postgresSecrets(client, postgresOptions)
export const hmac = requireHmac({ secrets, audience: 'billing.example.com' })
export const hmacUsage = hmac.legacyUsage()
export const formats = [rfc9421(), xHeaders()]
export const interceptor = createSigningInterceptor({ ...signing, origins: [] })
export const signedFetch = createSignedFetch(signing)
export const signature = explainSignature({ method: 'GET', url: '/', headers: {} }, { secrets, audience: 'x' })

export const oauth = requireOAuthBearer(issuer)
export const narrow = [oauth.scopes('files:write'), oauth.stepUp({ maxAuthAgeSeconds: 300 }), oauth.optional()]
export const metadata = oauth.metadata()
export const token = explainToken('x', issuer)
export const keyCache = redisKeyCache(redis, { secret: 'x' })

export const credentials = createMcpCredentials()
export const credentialStores = [memoryCredentials(), redisCredentials(redis)]
export const agents = requireMcpCredential({ credentials })
export const listed = credentials.list()
export const resolved = credentials.resolve('x')
export const either = firstPresented(agents, oauth)
export const verifier = asOAuthTokenVerifier(oauth)

export const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings' })
export const integrations = createSettingsSessions({
  baseUrl: 'https://app.example.com/integrations',
  kinds: { integration: (value: unknown) => ({ id: String(value) }) },
})
export const settingsGate = requireSettingsSession({ settings })
export const settingsStores = [memorySessions(), redisSessions(redis)]
export const provider = settingsOAuthFromEnv(process.env)
export const guard = leakGuard()
export const offer = async (userId: string) =>
  integrations.deliver(
    await integrations.issueLink({ platform: 'web', userId, kind: 'integration', metadata: { id: 'x' } }),
    () => {},
  )

export const audit = createAudit()
export const replayStores = [memoryReplay(), redisReplay(redis)]
export const runner = createScriptRunner(redis, 'app', 'session_store')
export const script = defineScript('app', 1, 'return 1')
export const report = smokeTest('https://mcp.example.com/mcp')

export const rules = { ...gateOptionRules, rights: option.strings().default([]) }
export const resolvedOptions = resolveOptions('requireDevice', {}, rules)
export const kit = { option, gateOptionRules, usage: countUsage(() => 0) }

export const recorded = recordAudit()
export const clock = fakeClock()
export const testServer = testIssuer()
export const proxy = hangingRedis(6379)
export const contract = replayStoreContract(() => memoryReplay())
