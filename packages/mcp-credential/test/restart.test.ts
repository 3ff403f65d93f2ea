import { createMcpCredentials, type McpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { mcpApp, send, withOtherSecret } from './harness.js'

let server: RedisServer
let redis: Redis
let before: McpCredentials
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  before = createMcpCredentials({ store: redisCredentials(redis), audit: recordedAudit().audit })
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const ENDED = 'The app has ended this session.'
const ways: [string, string, (credentials: McpCredentials, id: string) => Promise<unknown>][] = [
  ['revoke', ENDED, (credentials, id) => credentials.revoke(id)],
  ['revokeThread', ENDED, (credentials) => credentials.revokeThread('t-revokeThread')],
  ['revokeProvider', ENDED, (credentials) => credentials.revokeProvider('p-revokeProvider')],
  ['revokeProviderSession', ENDED, (credentials) => credentials.revokeProviderSession('s-revokeProviderSession')],
  ['retire', ENDED, (credentials) => credentials.retire('t-retire')],
  [
    'a newer issue',
    'A newer credential has replaced this one.',
    (credentials) => credentials.issue({ threadId: 't-a newer issue', providerInstanceId: 'p-a newer issue' }),
  ],
]

test.each(ways)('what %s ended is told its reason by a process that was started since', async (name, reason, end) => {
  const subject = { threadId: `t-${name}`, providerInstanceId: `p-${name}`, providerSessionId: `s-${name}` }
  const alias = await before.issue(subject)
  const issued = await before.issue({ ...subject, onExisting: 'carry' })
  await end(before, issued.credentialId)
  const own = new Redis(server.url)
  const app = await mcpApp({ wrapStore: () => redisCredentials(own) })
  for (const { token } of [issued, alias]) {
    const { status, text } = await send(app.port, { authorization: `Bearer ${token}` })
    expect([status, JSON.parse(text).detail]).toEqual([401, expect.stringContaining(reason)])
    const forged = await send(app.port, { authorization: `Bearer ${withOtherSecret(token)}` })
    expect(forged.text).not.toContain(reason)
    expect(app.last()).toBe('wrong_secret')
  }
  await app.close()
  own.disconnect()
})
